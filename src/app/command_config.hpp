#pragma once

#include <functional>

#include "ops/activation.hpp"

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain config schema|explain|show`: what configs may say, and what one says with everything
// filled in. Results go to standard output. `catalog` is asked only when a sub-command runs.
void add_config_command(CLI::App& app, const std::function<const ActivationCatalog&()>& catalog);

}  // namespace polytrain
