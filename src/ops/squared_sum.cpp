#include "ops/squared_sum.hpp"

#include "ops/elementwise.hpp"

namespace polytrain {

double squared_sum(const OpTable& ops, const Stream& stream, const Tensor& tensor) {
    const Device device = stream.backend().device();
    const Buffer result(stream.backend(), sizeof(double));
    Sum sum{tensor, {result.data(), {1}, DType::kF64, device}, true, {}};
    const auto bytes = static_cast<int64_t>(ops.scratch_bytes(sum));
    const Buffer scratch(stream.backend(), static_cast<size_t>(bytes));
    sum.scratch = {scratch.data(), {bytes}, DType::kU8, device};
    ops.run(sum, stream);
    double square = 0;
    stream.download(&square, sum.result_1, sizeof(square));
    return square;
}

}  // namespace polytrain
