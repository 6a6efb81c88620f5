#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain eval RUN [--data [NAME=]FILE,...] [--tasks [NAME=]FILE,...]`: perplexity over files,
// and multiple-choice tasks; also as the ranks of a launch, which share the work.
void add_eval_command(CLI::App& app);

}  // namespace polytrain
