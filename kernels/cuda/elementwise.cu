// Flat ops: a thread to a pack or to a few.

#include "ops/elementwise.hpp"

#include "kernels/cuda/kernel.hpp"
#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {
namespace {

// The thread's first element, where each has `each`.
__device__ __forceinline__ int64_t first_element(int each) {
    return (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * each;
}

template <class T>
__global__ void __launch_bounds__(256) add_kernel(const T* a, const T* b, T* y, int64_t count) {
    const int64_t i = first_element(kPack<T>);
    if (i >= count) return;
    float x[kPack<T>], other[kPack<T>];
    load_pack(a + i, count - i, x);
    load_pack(b + i, count - i, other);
#pragma unroll
    for (int j = 0; j < kPack<T>; ++j) x[j] += other[j];
    store_pack(y + i, count - i, x);
}

template <class From, class To>
__global__ void __launch_bounds__(256) convert_kernel(const From* x, To* y, int64_t count) {
    constexpr int kEach = 8;
    const int64_t i = first_element(kEach);
    if (i >= count) return;
    float values[kEach];
    load_packs(x + i, count - i, values);
    store_packs(y + i, count - i, values);
}

template <class T>
__global__ void __launch_bounds__(256) fill_kernel(T* y, int64_t count, float value) {
    const int64_t i = first_element(kPack<T>);
    if (i >= count) return;
    float values[kPack<T>];
#pragma unroll
    for (float& one : values) one = value;
    store_pack(y + i, count - i, values);
}

// Box-Muller as kernels/common/normal.hpp has it, in f64 too; cospi needs no reduction of its
// argument.
template <class T>
__global__ void __launch_bounds__(256) random_normal_kernel(T* y, int64_t count, PhiloxKey key,
                                                            double std, double cut, int64_t first) {
    const int64_t i = first_element(1);
    if (i >= count) return;
    const auto index = static_cast<uint64_t>(first + i);
    double x = 0;
    for (uint64_t draw = 0;; ++draw) {
        const auto words = philox(key, index + (draw << 48));
        const double radius = sqrt(-2 * log1p(-uniform_from(words[0], words[1])));
        x = radius * cospi(2 * uniform_from(words[2], words[3]));
        if (cut <= 0 || fabs(x) <= cut) break;
    }
    y[i] = from_float<T>(static_cast<float>(std * x));
}

// A pack's sum in f32, which loses nothing that matters; packs add up in f64.
template <class T>
__device__ __forceinline__ double pack_sum(const T* x, int64_t count, bool squared) {
    float v[kPack<T>];
    load_pack(x, count, v);
    float sum = 0;
#pragma unroll
    for (int j = 0; j < kPack<T>; ++j) sum += squared ? v[j] * v[j] : v[j];
    return sum;
}

// A sum's parts: the elements of one block, and the threads that add up the blocks' sums.
constexpr int64_t kSumPart = int64_t{1} << 16;
constexpr int kSumThreads = 256;
int64_t sum_parts(const Sum& op) {
    return (op.x.elements() + kSumPart - 1) / kSumPart;
}

template <class T>
__global__ void __launch_bounds__(kSumThreads)
    sum_kernel(const T* x, int64_t count, bool squared, double* parts) {
    SHARED_ARRAY(double, shared, 32);
    const int64_t begin = blockIdx.x * kSumPart;
    const int64_t end = begin + kSumPart < count ? begin + kSumPart : count;
    double sum[1] = {0};
    for (int64_t i = begin + threadIdx.x * kPack<T>; i < end; i += blockDim.x * kPack<T>)
        sum[0] += pack_sum(x + i, end - i, squared);
    block_sums(sum, shared);
    if (threadIdx.x == 0) parts[blockIdx.x] = sum[0];
}
__global__ void __launch_bounds__(kSumThreads)
    sum_of_parts_kernel(const double* parts, int64_t count, bool squared, double* result) {
    SHARED_ARRAY(double, shared, 32);
    double sum[1] = {0};
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
        sum[0] += squared ? parts[i] * parts[i] : parts[i];
    block_sums(sum, shared);
    if (threadIdx.x == 0) *result = sum[0];
}

// A warp to a chunk.
template <class T>
__global__ void __launch_bounds__(256)
    squared_chunks_kernel(const T* x, int64_t count, double* sums, int64_t chunks) {
    const int64_t chunk = first_element(1) / 32, lane = threadIdx.x % 32;
    if (chunk >= chunks) return;
    const int64_t begin = chunk * SquaredChunks::kChunk;
    const int64_t end =
        begin + SquaredChunks::kChunk < count ? begin + SquaredChunks::kChunk : count;
    double sum = 0;
    for (int64_t i = begin + lane * kPack<T>; i < end; i += 32 * kPack<T>)
        sum += pack_sum(x + i, end - i, true);
    sum = warp_sum(sum);
    if (lane == 0) sums[chunk] = sum;
}

}  // namespace

void register_elementwise(OpTable& table, const DeviceInfo&) {
    add_cuda<Add>(table, &Add::y, [](const Add& op, const Stream& stream) {
        with_storage(op.y, [&](auto t) {
            using T = decltype(t);
            launch("add", add_kernel<T>, covering(op.y.elements(), kPack<T>), stream,
                   data_of<T>(op.a), data_of<T>(op.b), data_of<T>(op.y), op.y.elements());
        });
    });
    add_cuda<Convert>(table, &Convert::x, [](const Convert& op, const Stream& stream) {
        with_storage(op.x, [&](auto from) {
            with_storage(op.y, [&](auto to) {
                using From = decltype(from);
                using To = decltype(to);
                launch("convert", convert_kernel<From, To>, covering(op.y.elements(), 8), stream,
                       data_of<From>(op.x), data_of<To>(op.y), op.y.elements());
            });
        });
    });
    add_cuda<Fill>(table, &Fill::y, [](const Fill& op, const Stream& stream) {
        with_storage(op.y, [&](auto t) {
            using T = decltype(t);
            launch("fill", fill_kernel<T>, covering(op.y.elements(), kPack<T>), stream,
                   data_of<T>(op.y), op.y.elements(), static_cast<float>(op.value));
        });
    });
    add_cuda<RandomNormal>(
        table, &RandomNormal::y, [](const RandomNormal& op, const Stream& stream) {
            with_storage(op.y, [&](auto t) {
                using T = decltype(t);
                launch("random_normal", random_normal_kernel<T>, covering(op.y.elements()), stream,
                       data_of<T>(op.y), op.y.elements(), op.key, op.std, op.cut, op.first);
            });
        });
    const auto run_sum = [](const Sum& op, const Stream& stream) {
        const auto add_up = [&](const Tensor& parts, int64_t count, bool squared) {
            launch("sum.of_parts", sum_of_parts_kernel, {1, kSumThreads}, stream,
                   data_of<double>(parts), count, squared, data_of<double>(op.result_1));
        };
        // Of sums, as a rule: few.
        if (op.x.dtype == DType::kF64) return add_up(op.x, op.x.elements(), op.squared);
        with_storage(op.x, [&](auto t) {
            using T = decltype(t);
            launch("sum", sum_kernel<T>, {sum_parts(op), kSumThreads}, stream, data_of<T>(op.x),
                   op.x.elements(), op.squared, data_of<double>(op.scratch));
        });
        add_up(op.scratch, sum_parts(op), false);
    };
    table.add<Sum>({"cuda", [](const Sum& op) { return is_float(op.x.dtype); }, run_sum,
                    [](const Sum& op) {
                        return op.x.dtype == DType::kF64
                                   ? 0
                                   : static_cast<size_t>(sum_parts(op)) * sizeof(double);
                    }});
    add_cuda<SquaredChunks>(
        table, &SquaredChunks::x, [](const SquaredChunks& op, const Stream& stream) {
            with_storage(op.x, [&](auto t) {
                using T = decltype(t);
                const int64_t chunks = op.sums_M.elements();
                launch("squared_chunks", squared_chunks_kernel<T>, covering(32 * chunks), stream,
                       data_of<T>(op.x), op.x.elements(), data_of<double>(op.sums_M), chunks);
            });
        });
}

}  // namespace polytrain::cuda
