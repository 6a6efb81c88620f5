#pragma once
// What attention kernels share: where heads lie in a packed row, and the row sums of dy y.

#include <cmath>

#include "kernels/cuda/kernel.hpp"
#include "ops/attention.hpp"

namespace polytrain::cuda {

// Of one launch; a block works on one head of one sequence and a tile of its positions.
struct Heads {
    int64_t time, heads, kv_heads, width, packed;
    float scale;  // 1 / sqrt(width)

    template <class Op>
    static Heads of(const Op& op) {
        return {op.time,          op.heads,
                op.kv_heads,      op.head_width(),
                op.qkv_NP.dim(1), 1.0f / std::sqrt(static_cast<float>(op.head_width()))};
    }
    // Offsets of row n's query of head h, and key and value of group g.
    __device__ int64_t q(int64_t n, int64_t h) const { return n * packed + h * width; }
    __device__ int64_t k(int64_t n, int64_t g) const { return q(n, heads + g); }
    __device__ int64_t v(int64_t n, int64_t g) const { return q(n, heads + kv_heads + g); }
    __device__ int64_t y(int64_t n, int64_t h) const { return (n * heads + h) * width; }
    __device__ int64_t per_group() const { return heads / kv_heads; }
};

// delta_nh = sum_d y_nhd dy_nhd, which backward subtracts from every dp of a row.
void attention_delta(const AttentionBackward& op, const Stream& stream);
inline size_t attention_delta_bytes(const AttentionBackward& op) {
    return static_cast<size_t>(op.lse_NH.elements()) * sizeof(float);
}

}  // namespace polytrain::cuda
