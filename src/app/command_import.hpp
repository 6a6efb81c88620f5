#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain import`: a Hugging Face folder as a run that made no step yet.
void add_import_command(CLI::App& app);

}  // namespace polytrain
