// Forward a block to a row. Backward the rows are sorted by id, and a block adds those of one id in
// their order, so that no two add to one element.

#include "ops/embedding.hpp"

#include <cmath>

#include "kernels/cuda/kernel.hpp"
#include "kernels/cuda/register.hpp"
#include "kernels/cuda/sort_ids.hpp"

namespace polytrain::cuda {
namespace {

constexpr int kThreads = 256;

// NaN for an id that is none of the table's.
template <class T>
__global__ void __launch_bounds__(kThreads)
    embedding_forward(const int32_t* ids_N, const T* table_VC, T* y_NC, int64_t vocabulary,
                      int64_t width) {
    const int64_t id = ids_N[blockIdx.x];
    const bool is_token = id >= 0 && id < vocabulary;
    for (int64_t c = threadIdx.x * kPack<T>; c < width; c += blockDim.x * kPack<T>) {
        float v[kPack<T>];
        if (is_token) {
            load_pack(table_VC + id * width + c, width - c, v);
        } else {
#pragma unroll
            for (float& one : v) one = NAN;
        }
        store_pack(y_NC + int64_t{blockIdx.x} * width + c, width - c, v);
    }
}

// A block to a place in the sorted ids; those where an id begins do its work.
template <class T>
__global__ void __launch_bounds__(kThreads)
    embedding_backward(SortedIds sorted, const T* dy_NC, float* dtable_VC, int64_t count,
                       int64_t vocabulary, int64_t width) {
    constexpr int kBatch = 4;  // rows on their way at once
    const int64_t begin = blockIdx.x;
    const int32_t id = sorted.ids_N[begin];
    if (id < 0 || id >= vocabulary || (begin > 0 && sorted.ids_N[begin - 1] == id)) return;
    for (int64_t c = threadIdx.x * kPack<T>; c < width; c += blockDim.x * kPack<T>) {
        float* const to = dtable_VC + id * width + c;
        float sum[kPack<T>];
        load_packs(to, width - c, sum);
        int rows = kBatch;
        for (int64_t at = begin; rows == kBatch; at += kBatch) {
            uint4 packs[kBatch];
            rows = 0;
#pragma unroll
            for (int i = 0; i < kBatch; ++i)
                if (rows == i && at + i < count && sorted.ids_N[at + i] == id) {
                    packs[i] =
                        load_raw(dy_NC + int64_t{sorted.rows_N[at + i]} * width + c, width - c);
                    ++rows;
                }
#pragma unroll
            for (int i = 0; i < kBatch; ++i) {
                if (i >= rows) continue;
                float v[kPack<T>];
                unpack(packs[i], v);
#pragma unroll
                for (int j = 0; j < kPack<T>; ++j) sum[j] += v[j];
            }
        }
        store_packs(to, width - c, sum);
    }
}

template <class T>
int threads_for(int64_t width) {
    return row_threads((width + kPack<T> - 1) / kPack<T>, kThreads);
}

}  // namespace

void register_embedding(OpTable& table, const DeviceInfo&) {
    add_cuda<EmbeddingForward>(
        table, &EmbeddingForward::table_VC, [](const EmbeddingForward& op, const Stream& stream) {
            with_storage(op.table_VC, [&](auto t) {
                using T = decltype(t);
                const int64_t width = op.table_VC.dim(1);
                launch("embedding.forward", embedding_forward<T>,
                       {op.ids_N.dim(0), threads_for<T>(width)}, stream, data_of<int32_t>(op.ids_N),
                       data_of<T>(op.table_VC), data_of<T>(op.y_NC), op.table_VC.dim(0), width);
            });
        });
    add_cuda<EmbeddingBackward>(
        table, &EmbeddingBackward::dy_NC,
        [](const EmbeddingBackward& op, const Stream& stream) {
            const int64_t count = op.ids_N.dim(0), vocabulary = op.dtable_VC.dim(0);
            const SortedIds sorted =
                sort_ids(data_of<int32_t>(op.ids_N), count, vocabulary, op.scratch.data, stream);
            with_storage(op.dy_NC, [&](auto t) {
                using T = decltype(t);
                const int64_t width = op.dy_NC.dim(1);
                launch("embedding.backward", embedding_backward<T>, {count, threads_for<T>(width)},
                       stream, sorted, data_of<T>(op.dy_NC), data_of<float>(op.dtable_VC), count,
                       vocabulary, width);
            });
        },
        [](const EmbeddingBackward& op) { return sort_ids_scratch_bytes(op.ids_N.dim(0)); });
}

}  // namespace polytrain::cuda
