#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain bench`: what parts of a model cost on this machine.
void add_bench_command(CLI::App& app);

}  // namespace polytrain
