#pragma once
// How a CPU kernel adds itself to the table.

#include <functional>

#include "core/thread_pool.hpp"
#include "ops/op_table.hpp"

namespace polytrain::cpu {

// Rows in a part: about kPartElements elements, from the shape alone.
inline constexpr int64_t kPartElements = 16384;
inline Partition row_parts(int64_t rows, int64_t width) {
    return {rows, std::max<int64_t>(1, kPartElements / std::max<int64_t>(1, width))};
}

// Implementation "cpu" of an op whose tensor `storage` is f32.
template <class Op>
void add_f32(OpTable& table, Tensor Op::*storage, std::function<void(const Op&)> run,
             std::function<size_t(const Op&)> scratch_bytes = {}) {
    table.add<Op>({"cpu", [storage](const Op& op) { return (op.*storage).dtype == DType::kF32; },
                   [run = std::move(run)](const Op& op, const Stream&) { run(op); },
                   std::move(scratch_bytes)});
}

}  // namespace polytrain::cpu
