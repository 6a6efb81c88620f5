// One pass over the state. A thread has 4 elements: 16 bytes of each f32 array, and 8 of each part
// of weights in two, so that a warp's accesses are whole lines of all.

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

// Where the weights are: f32, or in two parts as split_float() makes them.
struct WholeWeights {
    float* weight;

    __device__ __forceinline__ void load(int64_t first, int64_t count, float (&w)[4]) const {
        load_pack(weight + first, count, w);
    }
    __device__ __forceinline__ void store(int64_t first, int64_t count, const float (&w)[4]) const {
        store_pack(weight + first, count, w);
    }
};
struct SplitWeights {
    uint16_t *rounded, *remainder;

    __device__ __forceinline__ void load(int64_t first, int64_t count, float (&w)[4]) const {
        uint16_t high[4], low[4];
        load_4(rounded + first, count, high);
        load_4(remainder + first, count, low);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int above = static_cast<int16_t>(low[i]);
            w[i] = __uint_as_float((unsigned{high[i]} << 16) + static_cast<unsigned>(above));
        }
    }
    __device__ __forceinline__ void store(int64_t first, int64_t count, const float (&w)[4]) const {
        uint16_t high[4], low[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const unsigned bits = w[i] != w[i] ? 0x7fc00000u : __float_as_uint(w[i]);
            high[i] = static_cast<uint16_t>((bits + 0x8000u) >> 16);
            low[i] = static_cast<uint16_t>(bits & 0xffffu);
        }
        store_4(rounded + first, count, high);
        store_4(remainder + first, count, low);
    }

  private:
    static __device__ __forceinline__ bool is_whole(const uint16_t* at, int64_t count) {
        return count >= 4 && (reinterpret_cast<uintptr_t>(at) & 7) == 0;
    }
    static __device__ __forceinline__ void load_4(const uint16_t* from, int64_t count,
                                                  uint16_t (&values)[4]) {
        if (is_whole(from, count)) {
            const ushort4 raw = *reinterpret_cast<const ushort4*>(from);
            values[0] = raw.x, values[1] = raw.y, values[2] = raw.z, values[3] = raw.w;
            return;
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) values[i] = i < count ? from[i] : uint16_t{0};
    }
    static __device__ __forceinline__ void store_4(uint16_t* to, int64_t count,
                                                   const uint16_t (&values)[4]) {
        if (is_whole(to, count)) {
            *reinterpret_cast<ushort4*>(to) = {values[0], values[1], values[2], values[3]};
            return;
        }
#pragma unroll
        for (int i = 0; i < 4; ++i)
            if (i < count) to[i] = values[i];
    }
};

template <class Weights>
__global__ void __launch_bounds__(256) adamw_step(Weights weights, const float* gradient, float* m,
                                                  float* v, int64_t elements, Factors f) {
    const int64_t first = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * 4;
    const int64_t count = elements - first;
    if (count <= 0) return;
    float w[4], g[4], new_m[4], new_v[4];
    weights.load(first, count, w);
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
    weights.store(first, count, w);
    store_pack(m + first, count, new_m);
    store_pack(v + first, count, new_v);
}

}  // namespace

void register_adamw(OpTable& table, const DeviceInfo&) {
    add_cuda<AdamW>(table, &AdamW::weight, [](const AdamW& op, const Stream& stream) {
        const auto run = [&]<class Weights>(Weights weights) {
            launch("adamw", adamw_step<Weights>, covering(op.weight.elements(), 4), stream, weights,
                   data_of<float>(op.gradient), data_of<float>(op.m), data_of<float>(op.v),
                   op.weight.elements(), factors_of(op));
        };
        if (op.weight.dtype == DType::kF32)
            run(WholeWeights{data_of<float>(op.weight)});
        else
            run(SplitWeights{data_of<uint16_t>(op.weight), data_of<uint16_t>(op.remainder)});
    });
}

}  // namespace polytrain::cuda
