#include "ops/adamw.hpp"

namespace polytrain {

void AdamW::check() const {
    PT_CHECK(step >= 1, "{}: step {}", kName, step);
    PT_CHECK(accumulator_of(weight.dtype) == weight.dtype, "{}: weight is {}", kName,
             name_of(weight.dtype));
    check_tensor(kName, "gradient", gradient, weight.shape, weight.dtype);
    check_tensor(kName, "m", m, weight.shape, weight.dtype);
    check_tensor(kName, "v", v, weight.shape, weight.dtype);
    if (stored.elements() > 0) check_tensor(kName, "stored", stored, weight.shape, DType::kBf16);
}

}  // namespace polytrain
