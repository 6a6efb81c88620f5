#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain tokenizer train|encode|decode|inspect`; encode and decode are there without the first
// word, too.
void add_tokenizer_command(CLI::App& app);

}  // namespace polytrain
