#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain export`: a trained model as a Hugging Face folder.
void add_export_command(CLI::App& app);

}  // namespace polytrain
