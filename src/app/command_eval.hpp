#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain eval RUN --data FILE [--format F] [--dtype D] [--field KEY] [--threads N] [--json]`.
void add_eval_command(CLI::App& app);

}  // namespace polytrain
