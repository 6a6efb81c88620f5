#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain report`: an HTML page about one or more runs.
void add_report_command(CLI::App& app);

}  // namespace polytrain
