#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain train CONFIG [--out RUN] [--set a.b=c]... [--resume auto|none]`.
void add_train_command(CLI::App& app);

}  // namespace polytrain
