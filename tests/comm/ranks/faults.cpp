#include "ranks.hpp"
namespace ranks {
Cases fault_cases() {
    return {};
}
}  // namespace ranks
