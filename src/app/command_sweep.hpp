#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain sweep CONFIG... --out DIR [--vary KEY=[V,...]]... [--set KEY=V]... [--shrink]`.
void add_sweep_command(CLI::App& app);

}  // namespace polytrain
