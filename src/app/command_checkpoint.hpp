#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain checkpoint list RUN`, `verify RUN|CHECKPOINT`, `inspect CHECKPOINT`.
void add_checkpoint_command(CLI::App& app);

}  // namespace polytrain
