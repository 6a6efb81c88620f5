// A block to a row at a time: the highest logit and the sum of exponentials in one pass, the
// gradient in a second, for which as much of the row as half of the shared memory holds is staged
// (two blocks then share a multiprocessor); the rest is read twice.

#include "ops/cross_entropy.hpp"

#include <cfloat>
#include <cmath>

#include "kernels/cuda/register.hpp"
#include "kernels/cuda/row_packs.hpp"

namespace polytrain::cuda {
namespace {

constexpr int kThreads = 512;

// sum exp(x - highest) of what was seen.
struct RunningSum {
    float highest = -FLT_MAX, sum = 0;

    template <int kCount>
    __device__ __forceinline__ void add(const float (&x)[kCount], int count) {
        float new_highest = highest;
#pragma unroll
        for (int j = 0; j < kCount; ++j)
            if (j < count) new_highest = fmaxf(new_highest, x[j]);
        if (new_highest > highest) {
            sum *= expf(highest - new_highest);
            highest = new_highest;
        }
#pragma unroll
        for (int j = 0; j < kCount; ++j)
            if (j < count) sum += expf(x[j] - highest);
    }
};

// NaN for a target that is no token.
__device__ __forceinline__ float loss_of(const float lse, float logit, bool is_token) {
    return is_token ? lse - logit : NAN;
}

template <class T>
__global__ void __launch_bounds__(kThreads, 2)
    cross_entropy_kernel(const T* logits_NV, const int32_t* targets_N, float* loss_N,
                         float* z_loss_N, T* dlogits_NV, int64_t rows, int vocabulary,
                         float z_weight, int staged_columns) {
    DYNAMIC_SHARED(T, staged);
    SHARED_ARRAY(float, highests, 32);
    SHARED_ARRAY(float, sums, 32);
    for (int64_t n = blockIdx.x; n < rows; n += gridDim.x) {
        const T* const logits[1] = {logits_NV + n * vocabulary};
        T* const dlogits = dlogits_NV == nullptr ? nullptr : dlogits_NV + n * vocabulary;
        const int target = targets_N[n];
        if (target == kNotScored) {
            if (threadIdx.x == 0) loss_N[n] = z_loss_N[n] = 0;
            if (dlogits == nullptr) continue;
            const float zeros[kPack<T>] = {};
            for (int c = static_cast<int>(threadIdx.x) * kPack<T>; c < vocabulary;
                 c += static_cast<int>(blockDim.x) * kPack<T>)
                store_pack(dlogits + c, vocabulary - c, zeros);
            continue;
        }
        const bool is_token = target >= 0 && target < vocabulary;
        const float logit = is_token && threadIdx.x == 0 ? to_float(logits[0][target]) : 0.0f;
        RunningSum own;
        for_packs_staging<2, 1>(logits, vocabulary, staged, staged_columns,
                                [&](int c, const uint4(&packs)[1]) {
                                    float v[kPack<T>];
                                    unpack(packs[0], v);
                                    own.add(v, vocabulary - c);
                                });
        const float highest = block_max(own.highest, highests);
        float sum[1] = {own.sum * expf(own.highest - highest)};
        block_sums(sum, sums);
        const float lse = highest + logf(sum[0]);
        if (threadIdx.x == 0) {
            loss_N[n] = loss_of(lse, logit, is_token);
            z_loss_N[n] = z_weight * lse * lse;
        }
        if (dlogits != nullptr) {
            // A gradient in the logits' place may overwrite the target's, which one thread has
            // read: of a block of one warp the sums are shuffles alone, which order no memory.
            __syncthreads();
            // By the highest logit, not by lse: that is rounded where logits are large.
            const float scale = (1 + 2 * z_weight * lse) / sum[0];
            for_packs<2, 1>(logits, vocabulary, staged, staged_columns,
                            [&](int c, const uint4(&packs)[1]) {
                                float v[kPack<T>];
                                unpack(packs[0], v);
#pragma unroll
                                for (int j = 0; j < kPack<T>; ++j)
                                    v[j] = expf(v[j] - highest) * scale;
                                if (target >= c && target < c + kPack<T>) {
#pragma unroll
                                    for (int j = 0; j < kPack<T>; ++j)
                                        v[j] -= c + j == target ? 1.0f : 0.0f;
                                }
                                store_pack(dlogits + c, vocabulary - c, v);
                            });
        }
        __syncthreads();  // before the next row's sums
    }
}

}  // namespace

void register_cross_entropy(OpTable& table, const DeviceInfo& device) {
    add_cuda<CrossEntropy>(
        table, &CrossEntropy::logits_NV, [device](const CrossEntropy& op, const Stream& stream) {
            with_storage(op.logits_NV, [&](auto t) {
                using T = decltype(t);
                const int64_t rows = op.logits_NV.dim(0), vocabulary = op.logits_NV.dim(1);
                const Staged staged = op.dlogits_NV.present()
                                          ? staged_columns<T>(vocabulary, 1, device.most_shared / 2)
                                          : Staged{};
                const Launch shape{std::min<int64_t>(rows, 16 * device.multiprocessors),
                                   row_threads((vocabulary + kPack<T> - 1) / kPack<T>, kThreads),
                                   staged.bytes};
                launch("cross_entropy", cross_entropy_kernel<T>, shape, stream,
                       data_of<T>(op.logits_NV), data_of<int32_t>(op.targets_N),
                       data_of<float>(op.loss_N), data_of<float>(op.z_loss_N),
                       data_of<T>(op.dlogits_NV), rows, static_cast<int>(vocabulary),
                       static_cast<float>(op.z_weight), staged.columns);
            });
        });
}

}  // namespace polytrain::cuda
