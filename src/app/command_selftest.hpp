#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain selftest`: the op suite (tests/ops) on a device.
void add_selftest_command(CLI::App& app);

}  // namespace polytrain
