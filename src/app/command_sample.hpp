#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain sample RUN [--prompt TEXT] [--tokens N] [--temperature T] [--top-k K] [--top-p P]
// [--seed S]`.
void add_sample_command(CLI::App& app);

}  // namespace polytrain
