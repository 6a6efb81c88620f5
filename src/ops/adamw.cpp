#include "ops/adamw.hpp"

namespace polytrain {

void AdamW::check() const {
    const DType acc = accumulator_of(weight.dtype);
    PT_CHECK(step >= 1, "{}: step {}", kName, step);
    check_tensor(kName, "gradient", gradient, weight.shape, acc);
    check_tensor(kName, "m", m, weight.shape, acc);
    check_tensor(kName, "v", v, weight.shape, acc);
    if (weight.dtype != acc) check_tensor(kName, "remainder", remainder, weight.shape, DType::kI16);
}

}  // namespace polytrain
