#include "ops/elementwise.hpp"

namespace polytrain {

void Add::check() const {
    check_tensor(kName, "b", b, a.shape, a.dtype);
    check_tensor(kName, "y", y, a.shape, a.dtype);
}

void Sum::check() const {
    check_tensor(kName, "result_1", result_1, {1}, DType::kF64);
}

}  // namespace polytrain
