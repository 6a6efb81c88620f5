#pragma once
// A table with cuDNN's attention for a described device, and ops of a shape without memory.

#include <string>

#include "cudnn_plans/devices.hpp"
#include "kernels/cuda/attention_cudnn.hpp"
#include "ops/attention.hpp"
#include "support/catch.hpp"

namespace polytrain::testing {

struct DescribedDevice {
    explicit DescribedDevice(const DeviceModel& model) : context(model.properties_json()) {
        cuda::register_attention_cudnn(table, context);
    }
    cuda::CudnnContext context;
    OpTable table;
};

inline const DeviceModel& device_model(const std::string& arch) {
    for (const DeviceModel& model : device_models())
        if (model.arch() == arch) return model;
    throw std::runtime_error("no device model " + arch);
}

struct Sizes {
    int64_t batch = 0, time = 0, heads = 0, kv_heads = 0, head_width = 0;
    auto operator<=>(const Sizes&) const = default;  // NOLINT(modernize-use-nullptr)
};

inline cuda::AttentionShape shape_of(const Sizes& s, bool backward) {
    return {s.batch, s.time, s.heads, s.kv_heads, s.head_width, s.heads, s.kv_heads, backward};
}

template <class Op>
Op op_of(const Sizes& s, DType storage = DType::kBf16) {
    const int64_t n = s.batch * s.time, packed = (s.heads + 2 * s.kv_heads) * s.head_width;
    Op op;
    op.qkv_NP = {nullptr, {n, packed}, storage, {}};
    op.y_NQ = {nullptr, {n, s.heads * s.head_width}, storage, {}};
    op.lse_NH = {nullptr, {n, s.heads}, accumulator_of(storage), {}};
    if constexpr (std::is_same_v<Op, AttentionBackward>) {
        op.dy_NQ = op.y_NQ;
        op.dqkv_NP = op.qkv_NP;
    }
    op.time = s.time;
    op.heads = s.heads;
    op.kv_heads = s.kv_heads;
    op.check();
    return op;
}

}  // namespace polytrain::testing
