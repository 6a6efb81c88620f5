#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain prepare`: text files to token files.
void add_prepare_command(CLI::App& app);

}  // namespace polytrain
