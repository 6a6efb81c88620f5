#include "kernels/cuda/attention_cudnn.hpp"

#include "ops/attention.hpp"

namespace polytrain::cuda {
namespace {

template <class Op>
AttentionShape whole_shape(const Op& op) {
    return {.batch = op.y_NQ.dim(0) / op.time,
            .time = op.time,
            .heads = op.heads,
            .kv_heads = op.kv_heads,
            .head_width = op.head_width(),
            .row_heads = op.heads,
            .row_kv_heads = op.kv_heads,
            .backward = std::is_same_v<Op, AttentionBackward>};
}

bool is_supported(const AttentionShape& shape) {
    constexpr int64_t kShortest = 64, kWidest = 128, kTile = 128;
    // Up to 9.15 the last keys of a sequence that doesn't fill a tile come out wrong.
    return shape.head_width % 8 == 0 && shape.head_width <= kWidest && shape.time >= kShortest &&
           (cudnnGetVersion() > 91500 || shape.time % kTile == 0);
}

// The element at a row and column of a bf16 matrix.
void* element(const Tensor& matrix, int64_t row, int64_t column) {
    return matrix.as<Bf16>() + row * matrix.dim(1) + column;
}

// Pointers for the call that begins with a sequence and a group.
template <class Op>
AttentionPointers pointers_of(const Op& op, int64_t sequence, int64_t group) {
    const int64_t row = sequence * op.time, d = op.head_width();
    const int64_t head = group * (op.heads / op.kv_heads);
    const int64_t q = head * d, k = (op.heads + group) * d, v = k + op.kv_heads * d;
    AttentionPointers pointers{.q = element(op.qkv_NP, row, q),
                               .k = element(op.qkv_NP, row, k),
                               .v = element(op.qkv_NP, row, v),
                               .y = element(op.y_NQ, row, q),
                               .lse = op.lse_NH.template as<float>() + row * op.heads + head};
    if constexpr (std::is_same_v<Op, AttentionBackward>) {
        pointers.dy = element(op.dy_NQ, row, q);
        pointers.dq = element(op.dqkv_NP, row, q);
        pointers.dk = element(op.dqkv_NP, row, k);
        pointers.dv = element(op.dqkv_NP, row, v);
    }
    return pointers;
}

template <class Op>
void run(CudnnContext& context, const Op& op, const Stream& stream) {
    if (op.y_NQ.dim(0) == 0) return;
    const AttentionCalls* calls = context.attention(whole_shape(op));
    PT_CHECK(calls != nullptr && op.scratch.bytes() >= calls->plan.scratch_bytes(),
             "{}: {} bytes of scratch", Op::kName, op.scratch.bytes());
    const cudnnHandle_t handle = context.handle_on(stream.handle());
    for (int64_t sequence = 0; sequence < calls->whole.batch; sequence += calls->sequences)
        for (int64_t group = 0; group < calls->whole.kv_heads; group += calls->groups)
            calls->plan.execute(handle, pointers_of(op, sequence, group), op.scratch.data);
}

template <class Op>
void add(OpTable& table, CudnnContext& context) {
    const auto applies = [&context](const Op& op) {
        if (op.y_NQ.dtype != DType::kBf16) return false;
        if (op.y_NQ.dim(0) == 0) return true;
        const AttentionShape shape = whole_shape(op);
        return is_supported(shape) && context.attention(shape) != nullptr;
    };
    const auto scratch_bytes = [&context](const Op& op) -> size_t {
        if (op.y_NQ.dim(0) == 0) return 0;
        return context.attention(whole_shape(op))->plan.scratch_bytes();
    };
    table.add<Op>({"cudnn", applies,
                   [&context](const Op& op, const Stream& stream) { run(context, op, stream); },
                   scratch_bytes});
}

}  // namespace

void register_attention_cudnn(OpTable& table, CudnnContext& context) {
    add<AttentionForward>(table, context);
    add<AttentionBackward>(table, context);
}

}  // namespace polytrain::cuda
