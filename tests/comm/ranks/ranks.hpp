#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace ranks {

// By name; the arguments begin with it. What a case returns is the rank's exit code.
using Cases =
    std::vector<std::pair<std::string, std::function<int(const std::vector<std::string>&)>>>;

Cases collective_cases();
Cases fault_cases();

}  // namespace ranks
