// One pass over the state. A thread has 4 elements: 16 bytes of each f32 array, and of the stored
// weights 8, so that a warp's accesses are whole lines of all.

#include "ops/adamw.hpp"

#include <cmath>

#include "kernels/cuda/kernel.hpp"
#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {
namespace {

// The step's numbers, corrections as factors.
struct Factors {
    float lr, decay, beta1, rest1, beta2, rest2, correct1, correct2, eps, gradient_scale;
};
Factors factors_of(const AdamW& op) {
    const auto step = static_cast<double>(op.step);
    const auto narrow = [](double x) { return static_cast<float>(x); };
    return {.lr = narrow(op.lr),
            .decay = narrow(op.weight_decay),
            .beta1 = narrow(op.beta1),
            .rest1 = narrow(1 - op.beta1),
            .beta2 = narrow(op.beta2),
            .rest2 = narrow(1 - op.beta2),
            .correct1 = narrow(1 / (1 - std::pow(op.beta1, step))),
            .correct2 = narrow(1 / (1 - std::pow(op.beta2, step))),
            .eps = narrow(op.eps),
            .gradient_scale = narrow(op.gradient_scale)};
}

__device__ __forceinline__ void store_4(BFloat16* to, int64_t count, const float (&values)[4]) {
    if (count >= 4 && (reinterpret_cast<uintptr_t>(to) & 7) == 0) {
        *reinterpret_cast<uint2*>(to) = {pair_of(values[0], values[1]),
                                         pair_of(values[2], values[3])};
        return;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i)
        if (i < count) to[i] = from_float<BFloat16>(values[i]);
}

__global__ void __launch_bounds__(256)
    adamw_step(float* weight, const float* gradient, float* m, float* v, BFloat16* stored,
               int64_t elements, Factors f) {
    const int64_t first = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * 4;
    const int64_t count = elements - first;
    if (count <= 0) return;
    float w[4], g[4], new_m[4], new_v[4];
    load_pack(weight + first, count, w);
    load_pack(gradient + first, count, g);
    load_pack(m + first, count, new_m);
    load_pack(v + first, count, new_v);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const float scaled = g[i] * f.gradient_scale;
        new_m[i] = f.beta1 * new_m[i] + f.rest1 * scaled;
        new_v[i] = f.beta2 * new_v[i] + f.rest2 * scaled * scaled;
        const float update = new_m[i] * f.correct1 / (sqrtf(new_v[i] * f.correct2) + f.eps);
        w[i] -= f.lr * (update + f.decay * w[i]);
    }
    store_pack(weight + first, count, w);
    store_pack(m + first, count, new_m);
    store_pack(v + first, count, new_v);
    if (stored != nullptr) store_4(stored + first, count, w);
}

}  // namespace

void register_adamw(OpTable& table, const DeviceInfo&) {
    add_cuda<AdamW>(table, &AdamW::weight, [](const AdamW& op, const Stream& stream) {
        launch("adamw", adamw_step, covering(op.weight.elements(), 4), stream,
               data_of<float>(op.weight), data_of<float>(op.gradient), data_of<float>(op.m),
               data_of<float>(op.v),
               op.stored.elements() > 0 ? data_of<BFloat16>(op.stored) : nullptr,
               op.weight.elements(), factors_of(op));
    });
}

}  // namespace polytrain::cuda
