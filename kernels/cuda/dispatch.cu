// Rows to and from the order of their experts. A slot that is none is passed over.

#include "ops/dispatch.hpp"

#include "kernels/cuda/kernel.hpp"
#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {
namespace {

// A block to an expert, which goes through all choices in order and numbers its own.
constexpr int kPlanThreads = 512, kPlanWarps = kPlanThreads / 32;
__global__ void __launch_bounds__(kPlanThreads)
    dispatch_plan(const int32_t* experts_R, const int64_t* counts_E, int32_t* slots_R,
                  int64_t rows) {
    constexpr int kEach = 4;
    SHARED_ARRAY(int64_t, shared, 32);
    SHARED_ARRAY(int, warp_counts, 2 * kPlanWarps);  // by turns: one barrier a turn
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const auto expert = static_cast<int32_t>(blockIdx.x);
    int64_t before[1] = {0};
    for (int e = static_cast<int>(threadIdx.x); e < expert; e += kPlanThreads)
        before[0] += counts_E[e];
    block_sums(before, shared);
    int64_t slot = before[0];
    int* counts = warp_counts;
    for (int64_t base = 0; base < rows; base += kEach * kPlanThreads) {
        const int64_t first = base + threadIdx.x * kEach;
        int32_t chosen[kEach];
        if (first + kEach <= rows && is_aligned(experts_R + first)) {
            const uint4 raw = load_16(experts_R + first);
            chosen[0] = static_cast<int32_t>(raw.x);
            chosen[1] = static_cast<int32_t>(raw.y);
            chosen[2] = static_cast<int32_t>(raw.z);
            chosen[3] = static_cast<int32_t>(raw.w);
        } else {
#pragma unroll
            for (int i = 0; i < kEach; ++i)
                chosen[i] = first + i < rows ? experts_R[first + i] : -1;
        }
        int own = 0;
#pragma unroll
        for (int i = 0; i < kEach; ++i) own += chosen[i] == expert ? 1 : 0;
        int of_warp = own;  // of the lanes up to this one
#pragma unroll
        for (int by = 1; by < 32; by *= 2) {
            const int other = __shfl_up_sync(~0u, of_warp, static_cast<unsigned>(by));
            if (lane >= by) of_warp += other;
        }
        if (lane == 31) counts[warp] = of_warp;
        __syncthreads();
        int64_t next = slot + of_warp - own;
#pragma unroll
        for (int w = 0; w < kPlanWarps; ++w) {
            if (w < warp) next += counts[w];
            slot += counts[w];
        }
#pragma unroll
        for (int i = 0; i < kEach; ++i)
            if (chosen[i] == expert) slots_R[first + i] = static_cast<int32_t>(next++);
        counts = counts == warp_counts ? warp_counts + kPlanWarps : warp_counts;
    }
}

constexpr int kThreads = 256;

// A block to a token, whose row is read once.
template <class T>
__global__ void __launch_bounds__(kThreads)
    dispatch_forward(const T* x_NC, const int32_t* slots_NK, T* rows_RC, int64_t rows, int k,
                     int64_t width) {
    const int64_t n = blockIdx.x;
    for (int64_t c = threadIdx.x * kPack<T>; c < width; c += blockDim.x * kPack<T>) {
        float v[kPack<T>];
        load_pack(x_NC + n * width + c, width - c, v);
        for (int i = 0; i < k; ++i) {
            const int64_t slot = slots_NK[n * k + i];
            if (slot >= 0 && slot < rows) store_pack(rows_RC + slot * width + c, width - c, v);
        }
    }
}

// to_n = sum_k weight_nk rows[slots_nk]; weights null: 1. A block to a token.
template <class T>
__global__ void __launch_bounds__(kThreads)
    sum_rows(const T* rows_RC, const int32_t* slots_NK, const float* weights_NK, T* to_NC,
             int64_t rows, int k, int64_t width) {
    constexpr int kBatch = 4;  // rows on their way at once
    const int64_t n = blockIdx.x;
    for (int64_t c = threadIdx.x * kPack<T>; c < width; c += blockDim.x * kPack<T>) {
        float sum[kPack<T>] = {};
        for (int first = 0; first < k; first += kBatch) {
            uint4 packs[kBatch];
            float weights[kBatch];
#pragma unroll
            for (int i = 0; i < kBatch; ++i) {
                packs[i] = {0, 0, 0, 0};
                weights[i] = 0;
                if (first + i >= k) continue;
                const int64_t slot = slots_NK[n * k + first + i];
                weights[i] = weights_NK == nullptr ? 1.0f : weights_NK[n * k + first + i];
                if (slot >= 0 && slot < rows)
                    packs[i] = load_raw(rows_RC + slot * width + c, width - c);
            }
#pragma unroll
            for (int i = 0; i < kBatch; ++i) {
                float v[kPack<T>];
                unpack(packs[i], v);
#pragma unroll
                for (int j = 0; j < kPack<T>; ++j) sum[j] += weights[i] * v[j];
            }
        }
        store_pack(to_NC + n * width + c, width - c, sum);
    }
}

// A warp to a row. Those of one token are neighbours, so that dy_n is read from memory once.
template <class T>
__global__ void __launch_bounds__(kThreads)
    combine_backward(const T* dy_NC, const T* rows_RC, const int32_t* slots_NK,
                     const float* weights_NK, T* drows_RC, float* dweights_NK, int64_t rows, int k,
                     int64_t width) {
    const int64_t i = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / 32;
    if (i >= rows) return;
    const int64_t slot = slots_NK[i];
    if (slot < 0 || slot >= rows) return;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const T* const dy = dy_NC + i / k * width;
    const float weight = weights_NK[i];
    float dot = 0;
    for (int64_t c = lane * kPack<T>; c < width; c += 32 * kPack<T>) {
        float d[kPack<T>], v[kPack<T>];
        load_pack(dy + c, width - c, d);
        load_pack(rows_RC + slot * width + c, width - c, v);
#pragma unroll
        for (int j = 0; j < kPack<T>; ++j) {
            dot += d[j] * v[j];
            d[j] *= weight;
        }
        store_pack(drows_RC + slot * width + c, width - c, d);
    }
    dot = warp_sum(dot);
    if (lane == 0) dweights_NK[i] = dot;
}

template <class T>
Launch token_launch(int64_t tokens, int64_t width) {
    return {tokens, row_threads((width + kPack<T> - 1) / kPack<T>, kThreads)};
}

template <class T>
void run_sum_rows(const char* name, const Tensor& rows_RC, const Tensor& slots_NK,
                  const float* weights_NK, const Tensor& to_NC, const Stream& stream) {
    const int64_t width = to_NC.dim(1);
    launch(name, sum_rows<T>, token_launch<T>(to_NC.dim(0), width), stream, data_of<T>(rows_RC),
           data_of<int32_t>(slots_NK), weights_NK, data_of<T>(to_NC), rows_RC.dim(0),
           static_cast<int>(slots_NK.dim(1)), width);
}

}  // namespace

void register_dispatch(OpTable& table, const DeviceInfo&) {
    table.add<DispatchPlan>(
        {"cuda",
         {},
         [](const DispatchPlan& op, const Stream& stream) {
             launch("dispatch.plan", dispatch_plan, {op.counts_E.dim(0), kPlanThreads}, stream,
                    data_of<int32_t>(op.experts_NK), data_of<int64_t>(op.counts_E),
                    data_of<int32_t>(op.slots_NK), op.experts_NK.elements());
         },
         {}});
    add_cuda<DispatchForward>(
        table, &DispatchForward::x_NC, [](const DispatchForward& op, const Stream& stream) {
            with_storage(op.x_NC, [&](auto t) {
                using T = decltype(t);
                const int64_t width = op.x_NC.dim(1);
                launch("dispatch.forward", dispatch_forward<T>,
                       token_launch<T>(op.x_NC.dim(0), width), stream, data_of<T>(op.x_NC),
                       data_of<int32_t>(op.slots_NK), data_of<T>(op.rows_RC), op.rows_RC.dim(0),
                       static_cast<int>(op.slots_NK.dim(1)), width);
            });
        });
    add_cuda<DispatchBackward>(
        table, &DispatchBackward::drows_RC, [](const DispatchBackward& op, const Stream& stream) {
            with_storage(op.dx_NC, [&](auto t) {
                run_sum_rows<decltype(t)>("dispatch.backward", op.drows_RC, op.slots_NK, nullptr,
                                          op.dx_NC, stream);
            });
        });
    add_cuda<CombineForward>(
        table, &CombineForward::rows_RC, [](const CombineForward& op, const Stream& stream) {
            with_storage(op.y_NC, [&](auto t) {
                run_sum_rows<decltype(t)>("combine.forward", op.rows_RC, op.slots_NK,
                                          data_of<float>(op.weights_NK), op.y_NC, stream);
            });
        });
    add_cuda<CombineBackward>(
        table, &CombineBackward::dy_NC, [](const CombineBackward& op, const Stream& stream) {
            with_storage(op.dy_NC, [&](auto t) {
                using T = decltype(t);
                const int64_t rows = op.rows_RC.dim(0);
                launch("combine.backward", combine_backward<T>, covering(32 * rows, 1, kThreads),
                       stream, data_of<T>(op.dy_NC), data_of<T>(op.rows_RC),
                       data_of<int32_t>(op.slots_NK), data_of<float>(op.weights_NK),
                       data_of<T>(op.drows_RC), data_of<float>(op.dweights_NK), rows,
                       static_cast<int>(op.slots_NK.dim(1)), op.dy_NC.dim(1));
            });
        });
}

}  // namespace polytrain::cuda
