#include "ops/rotary.hpp"

#include "kernels/cuda/kernel.hpp"
#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {
namespace {

// Made once, so in f64: an angle of 10^6 is then right to 10^-10. In half turns, which cospi and
// sinpi reduce without error.
__global__ void __launch_bounds__(256)
    rotary_table_kernel(float* table_TD, int64_t time, int64_t width, double theta) {
    const int64_t half = width / 2;
    const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i >= time * half) return;
    const int64_t t = i / half, j = i - t * half;
    constexpr double kInversePi = 0.31830988618379067154;
    const double half_turns =
        static_cast<double>(t) *
        pow(theta, -2.0 * static_cast<double>(j) / static_cast<double>(width)) * kInversePi;
    table_TD[t * width + j] = static_cast<float>(cospi(half_turns));
    table_TD[t * width + half + j] = static_cast<float>(sinpi(half_turns));
}

// A block to a row. A thread has a pack of pairs, whose turn it reads once, of several heads.
template <class T>
__global__ void __launch_bounds__(256)
    rotary_apply_kernel(const float* table_TD, T* x_NP, int64_t time, int width, int64_t packed,
                        int rotated, bool inverse, int64_t first) {
    const int half = width / 2, packs = (half + kPack<T> - 1) / kPack<T>;
    const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
    // Threads in groups of one head, where a head has fewer packs than there are threads.
    const int groups = packs < threads ? threads / packs : 1;
    const int group = packs < threads ? thread / packs : 0;
    if (group >= groups) return;
    const float* const turns = table_TD + (first + blockIdx.x) % time * width;
    for (int pack = thread - group * packs; pack < packs; pack += threads) {
        const int c = pack * kPack<T>;
        float cos[kPack<T>], sin[kPack<T>];
        load_packs(turns + c, half - c, cos);
        load_packs(turns + half + c, half - c, sin);
        for (int head = group; head < rotated; head += groups) {
            T* const x = x_NP + int64_t{blockIdx.x} * packed + int64_t{head} * width + c;
            float u[kPack<T>], v[kPack<T>];
            load_pack(x, half - c, u);
            load_pack(x + half, half - c, v);
#pragma unroll
            for (int j = 0; j < kPack<T>; ++j) {
                const float s = inverse ? -sin[j] : sin[j];
                const float turned = u[j] * cos[j] - v[j] * s;
                v[j] = v[j] * cos[j] + u[j] * s;
                u[j] = turned;
            }
            store_pack(x, half - c, u);
            store_pack(x + half, half - c, v);
        }
    }
}

}  // namespace

void register_rotary(OpTable& table, const DeviceInfo&) {
    add_cuda<RotaryTable>(
        table, &RotaryTable::table_TD, [](const RotaryTable& op, const Stream& stream) {
            const int64_t time = op.table_TD.dim(0), width = op.table_TD.dim(1);
            launch("rotary.table", rotary_table_kernel, covering(time * (width / 2)), stream,
                   data_of<float>(op.table_TD), time, width, op.theta);
        });
    add_cuda<RotaryApply>(
        table, &RotaryApply::x_NP, [](const RotaryApply& op, const Stream& stream) {
            with_storage(op.x_NP, [&](auto t) {
                using T = decltype(t);
                const int64_t width = op.table_TD.dim(1);
                const int64_t packs = (width / 2 + kPack<T> - 1) / kPack<T>;
                if (packs * op.rotated == 0) return;
                launch("rotary.apply", rotary_apply_kernel<T>,
                       {op.x_NP.dim(0), row_threads(packs * op.rotated, 256)}, stream,
                       data_of<float>(op.table_TD), data_of<T>(op.x_NP), op.table_TD.dim(0),
                       static_cast<int>(width), op.x_NP.dim(1), static_cast<int>(op.rotated),
                       op.inverse, op.first);
            });
        });
}

}  // namespace polytrain::cuda
