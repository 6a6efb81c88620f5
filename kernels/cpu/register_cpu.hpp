#pragma once
// How a CPU kernel adds itself to the table.

#include <algorithm>
#include <functional>

#include "core/thread_pool.hpp"
#include "ops/op_table.hpp"

namespace polytrain::cpu {

// Rows in a part, from the shape alone: about kPartElements elements, or more, so that there are
// about kMostParts. Each begins and ends a stream of memory and has a share of its own of sums over
// rows.
inline constexpr int64_t kPartElements = 16384, kMostParts = 256;
inline Partition row_parts(int64_t rows, int64_t width) {
    return {rows, std::max({int64_t{1}, kPartElements / std::max<int64_t>(1, width),
                            (rows + kMostParts - 1) / kMostParts})};
}

// Calls f(T{}) with the storage type, float or Bf16, of a tensor of an op that add_cpu() takes.
template <class F>
decltype(auto) with_storage(const Tensor& storage, F&& f) {
    return storage.dtype == DType::kBf16 ? f(Bf16{}) : f(float{});
}

// to_c += sum over parts, in order, of sums[part * stride + c], for c < width.
inline void add_part_sums(ThreadPool& pool, const float* sums, int64_t parts, int64_t stride,
                          float* to, int64_t width) {
    const Partition columns{width, 256};
    pool.run(columns.parts(), [&](int64_t block, int) {
        for (int64_t part = 0; part < parts; ++part)
            for (int64_t c = columns.begin(block); c < columns.end(block); ++c)
                to[c] += sums[part * stride + c];
    });
}

// Implementation "cpu" of an op whose tensor `storage` is f32 or bf16.
template <class Op>
void add_cpu(OpTable& table, Tensor Op::*storage, std::function<void(const Op&)> run,
             std::function<size_t(const Op&)> scratch_bytes = {}) {
    table.add<Op>({"cpu",
                   [storage](const Op& op) {
                       const DType dtype = (op.*storage).dtype;
                       return dtype == DType::kF32 || dtype == DType::kBf16;
                   },
                   [run = std::move(run)](const Op& op, const Stream&) { run(op); },
                   std::move(scratch_bytes)});
}

}  // namespace polytrain::cpu
