// A warp to a token at a time. Forward, a block takes a fixed share of the tokens and sums it up,
// which a second kernel adds over the blocks.

#include "ops/router.hpp"

#include <cmath>

#include "kernels/cuda/column_sums.hpp"
#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {
namespace {

constexpr int kTokens = 64;    // of a block, on every device: sums have the same bits on all
constexpr int kMostWarps = 8;  // of a block

// Orders scores: a higher one has a higher key, NaN the lowest of all, 1; 0 is for those chosen.
__device__ __forceinline__ unsigned key_of(float score) {
    if (score != score) return 1;
    const unsigned bits = __float_as_uint(score + 0.0f);  // -0 as 0
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

// What blocks leave for the second kernel: sums [B, E + 2] and counts [B, E].
struct Parts {
    double* sums;
    int* counts;
};
int64_t part_count(const RouterForward& op) {
    return (op.logits_NE.dim(0) + kTokens - 1) / kTokens;
}
Parts parts_of(const RouterForward& op) {
    auto* sums = data_of<double>(op.scratch);
    return {sums, reinterpret_cast<int*>(sums + part_count(op) * (op.logits_NE.dim(1) + 2))};
}

struct ForwardTensors {
    const float *logits_NE, *bias_E;
    float *probs_NE, *lse_N;
    int32_t* experts_NK;
    float* weights_NK;
};

// The row's probabilities, and the keys of its experts in `keys`, each of the lane that reads it.
// Returns lse and entropy = log sum_e exp(x_e) - sum_e p_e x_e with x the logits below the highest.
struct RowSums {
    float lse, entropy;
};
__device__ __forceinline__ RowSums softmax_row(const float* logits, const float* bias, int experts,
                                               float* probs, unsigned* keys) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    float highest = -INFINITY;
    for (int e = lane; e < experts; e += 32) highest = fmaxf(highest, logits[e]);
    highest = warp_max(highest);
    float sum = 0;
    for (int e = lane; e < experts; e += 32) sum += expf(logits[e] - highest);
    sum = warp_sum(sum);
    float weighted = 0;
    for (int e = lane; e < experts; e += 32) {
        const float below = logits[e] - highest, p = expf(below) / sum;
        if (p != 0) weighted += p * below;
        probs[e] = p;
        keys[e] = key_of(p + bias[e]);
    }
    const float log_sum = logf(sum);
    return {highest + log_sum, log_sum - warp_sum(weighted)};
}

// The k best, one after another; entry i is written by lane i % 32.
__device__ __forceinline__ void choose(const float* probs, unsigned* keys, int experts, int k,
                                       bool renormalise, int32_t* chosen, float* weights,
                                       int* counts) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    float divisor = 0;
    for (int i = 0; i < k; ++i) {
        unsigned long long best = 0;  // the key, then the index, the lower the better
        for (int e = lane; e < experts; e += 32) {
            const unsigned long long own =
                static_cast<unsigned long long>(keys[e]) << 32 | ~static_cast<unsigned>(e);
            best = own > best ? own : best;
        }
#pragma unroll
        for (int bits = 16; bits > 0; bits /= 2) {
            const unsigned long long other = __shfl_xor_sync(~0u, best, bits);
            best = other > best ? other : best;
        }
        const int expert = static_cast<int>(~static_cast<unsigned>(best));
        float p = 0;
        if (expert % 32 == lane) {
            p = probs[expert];
            keys[expert] = 0;
        }
        p = __shfl_sync(~0u, p, expert % 32);
        divisor += p;
        if (i % 32 != lane) continue;
        chosen[i] = expert;
        weights[i] = p;
        atomicAdd(&counts[expert], 1);
    }
    if (renormalise)
        for (int i = lane; i < k; i += 32) weights[i] /= divisor;
}

__global__ void __launch_bounds__(32 * kMostWarps)
    router_forward(ForwardTensors t, Parts parts, int64_t tokens, int experts, int k,
                   bool renormalise) {
    DYNAMIC_SHARED(unsigned, keys_WE);
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    const int warps = static_cast<int>(blockDim.x) / 32;
    auto* const counts = reinterpret_cast<int*>(keys_WE + warps * experts);
    SHARED_ARRAY(RowSums, row_sums, kTokens);
    for (int e = static_cast<int>(threadIdx.x); e < experts; e += static_cast<int>(blockDim.x))
        counts[e] = 0;
    __syncthreads();
    const int64_t first = int64_t{blockIdx.x} * kTokens;
    const int own = static_cast<int>(tokens - first < kTokens ? tokens - first : kTokens);
    for (int i = warp; i < own; i += warps) {
        const int64_t n = first + i;
        float* const probs = t.probs_NE + n * experts;
        unsigned* const keys = keys_WE + warp * experts;
        const RowSums sums = softmax_row(t.logits_NE + n * experts, t.bias_E, experts, probs, keys);
        if (lane == 0) {
            t.lse_N[n] = sums.lse;
            row_sums[i] = sums;
        }
        choose(probs, keys, experts, k, renormalise, t.experts_NK + n * k, t.weights_NK + n * k,
               counts);
    }
    __syncthreads();
    // A thread to a column, over the block's tokens in order.
    for (int e = static_cast<int>(threadIdx.x); e < experts + 2;
         e += static_cast<int>(blockDim.x)) {
        double sum = 0;
        for (int i = 0; i < own; ++i) {
            if (e < experts)
                sum += t.probs_NE[(first + i) * experts + e];
            else if (e == experts)
                sum += static_cast<double>(row_sums[i].lse) * row_sums[i].lse;
            else
                sum += row_sums[i].entropy;
        }
        parts.sums[int64_t{blockIdx.x} * (experts + 2) + e] = sum;
        if (e < experts) parts.counts[int64_t{blockIdx.x} * experts + e] = counts[e];
    }
}

__global__ void __launch_bounds__(kColumnThreads)
    router_sums(Parts parts, int64_t count, int experts, int64_t* counts_E, double* sums_S) {
    SHARED_ARRAY(double, shared_sums, kColumnThreads);
    SHARED_ARRAY(int64_t, shared_counts, kColumnThreads);
    const double sum = column_sum(parts.sums, count, experts + 2, shared_sums);
    const int64_t tokens = column_sum(parts.counts, count, experts, shared_counts);
    const int64_t column = int64_t{blockIdx.x} * 32 + threadIdx.x;
    if (threadIdx.x >= 32) return;
    if (column < experts + 2) sums_S[column] = sum;
    if (column < experts) counts_E[column] = tokens;
}

struct BackwardTensors {
    const float *probs_NE, *lse_N;
    const int32_t* experts_NK;
    const float *weights_NK, *dweights_NK;
    const int64_t* balance_counts_E;
    float* dlogits_NE;
};

__global__ void __launch_bounds__(256)
    router_backward(BackwardTensors t, int64_t tokens, int experts, int k, bool renormalise,
                    float balance_scale, float z_scale) {
    const int64_t n = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / 32;
    if (n >= tokens) return;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const float* const probs = t.probs_NE + n * experts;
    const int32_t* const chosen = t.experts_NK + n * k;
    const float *const weights = t.weights_NK + n * k, *const dweights = t.dweights_NK + n * k;
    float divisor = 1, mean = 0;  // of dweights under the weights
    if (renormalise) {
        divisor = 0;
        for (int i = 0; i < k; ++i) {
            const bool is_expert = chosen[i] >= 0 && chosen[i] < experts;
            divisor += is_expert ? probs[chosen[i]] : NAN;
            mean += dweights[i] * weights[i];
        }
    }
    const auto dp = [&](int e) {
        float sum = balance_scale * static_cast<float>(t.balance_counts_E[e]);
        for (int i = 0; i < k; ++i)
            if (chosen[i] == e) sum += (dweights[i] - mean) / divisor;
        return sum;
    };
    float through_sum = 0;
    for (int e = lane; e < experts; e += 32) through_sum += probs[e] * dp(e);
    through_sum = warp_sum(through_sum);
    const float by_lse = 2 * z_scale * t.lse_N[n];
    for (int e = lane; e < experts; e += 32)
        t.dlogits_NE[n * experts + e] = probs[e] * (dp(e) - through_sum + by_lse);
}

void forward(const RouterForward& op, const Stream& stream) {
    const int64_t tokens = op.logits_NE.dim(0), experts = op.logits_NE.dim(1);
    const auto row = static_cast<size_t>(experts) * sizeof(unsigned);
    int warps = kMostWarps;
    while (warps > 1 && static_cast<size_t>(warps + 1) * row > (size_t{48} << 10)) warps /= 2;
    const ForwardTensors t{data_of<float>(op.logits_NE),    data_of<float>(op.bias_E),
                           data_of<float>(op.probs_NE),     data_of<float>(op.lse_N),
                           data_of<int32_t>(op.experts_NK), data_of<float>(op.weights_NK)};
    const Parts parts = parts_of(op);
    launch("router.forward", router_forward,
           {part_count(op), 32 * warps, static_cast<size_t>(warps + 1) * row}, stream, t, parts,
           tokens, static_cast<int>(experts), static_cast<int>(op.experts_NK.dim(1)),
           op.renormalise);
    launch("router.sums", router_sums, column_launch(experts + 2), stream, parts, part_count(op),
           static_cast<int>(experts), data_of<int64_t>(op.counts_E), data_of<double>(op.sums_S));
}

void backward(const RouterBackward& op, const Stream& stream) {
    const int64_t tokens = op.probs_NE.dim(0), experts = op.probs_NE.dim(1);
    const BackwardTensors t{data_of<float>(op.probs_NE),     data_of<float>(op.lse_N),
                            data_of<int32_t>(op.experts_NK), data_of<float>(op.weights_NK),
                            data_of<float>(op.dweights_NK),  data_of<int64_t>(op.balance_counts_E),
                            data_of<float>(op.dlogits_NE)};
    launch("router.backward", router_backward, covering(32 * tokens), stream, t, tokens,
           static_cast<int>(experts), static_cast<int>(op.experts_NK.dim(1)), op.renormalise,
           static_cast<float>(op.balance_scale), static_cast<float>(op.z_scale));
}

}  // namespace

void register_router(OpTable& table, const DeviceInfo&) {
    add_cuda<RouterForward>(table, &RouterForward::logits_NE, forward, [](const RouterForward& op) {
        const auto experts = static_cast<size_t>(op.logits_NE.dim(1));
        return static_cast<size_t>(part_count(op)) *
               ((experts + 2) * sizeof(double) + experts * sizeof(int));
    });
    add_cuda<RouterBackward>(table, &RouterBackward::probs_NE, backward);
}

}  // namespace polytrain::cuda
