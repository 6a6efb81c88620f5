#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain analyze`: what the weights and hidden states of trained models are like.
void add_analyze_command(CLI::App& app);

}  // namespace polytrain
