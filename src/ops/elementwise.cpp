#include "ops/elementwise.hpp"

namespace polytrain {

void Add::check() const {
    check_tensor(kName, "b", b, a.shape, a.dtype);
    check_tensor(kName, "y", y, a.shape, a.dtype);
}

void Convert::check() const {
    check_tensor(kName, "y", y, x.shape, y.dtype);
    PT_CHECK((x.dtype == DType::kF64) == (y.dtype == DType::kF64), "{}: {} to {}", kName,
             name_of(x.dtype), name_of(y.dtype));
}

void Sum::check() const {
    check_tensor(kName, "result_1", result_1, {1}, DType::kF64);
}

void SquaredChunks::check() const {
    check_tensor(kName, "sums_M", sums_M, {chunks(x.elements())}, DType::kF64);
}

}  // namespace polytrain
