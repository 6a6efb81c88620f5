// Causal attention tile by tile, forward and backward, on vector lanes. One part is one head of one
// sequence forward, one group of heads that share keys and values backward: parts write nothing in
// common, and within a part every sum runs in a fixed order.
//
// Scores are kept transposed, a row for each key and a lane for each query: keys, values, queries
// and gradients are then read as they lie, or their single elements broadcast, only queries (and
// dy) are transposed, and softmax needs no sum or maximum across lanes.

#include "ops/attention.hpp"

#include "kernels/cpu/attention_part.hpp"
#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/attention_tile-inl.hpp"
#include "kernels/cpu/panel-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void forward_part(const AttentionForward& op, int64_t sequence, int64_t head, float* scratch) {
    const AttentionPart part(op, sequence);
    const int64_t padded = part.padded, width = part.width, packed = part.packed;
    const int64_t group = head / (op.heads / op.kv_heads);
    const T* rows = op.qkv_NP.as<T>() + part.first_row * packed;
    const T* k_rows = rows + (op.heads + group) * width;
    FloatStack stack{scratch};
    float *k = stack.take(part.time * padded), *v = stack.take(part.time * padded);
    float *q_transposed = stack.take(kTile * padded), *y = stack.take(kTile * padded);
    float* scores = stack.take(kTile * kTile);
    float *highest = stack.take(kTile), *sums = stack.take(kTile), *shrink = stack.take(kTile);
    const T *q_rows = rows + head * width, *v_rows = k_rows + op.kv_heads * width;

    for (int64_t i = 0; i < part.time; i += kTile) {
        const int64_t count = std::min(kTile, part.time - i);
        pack_panel<kTile>(q_rows + i * packed, packed, 1, count, width, q_transposed);
        pack_rows(k_rows + i * packed, packed, count, width, k + i * padded, padded);
        pack_rows(v_rows + i * packed, packed, count, width, v + i * padded, padded);
        std::fill_n(highest, kTile, kMasked);
        std::fill_n(sums, kTile, 0.0f);
        part.for_keys(i, count, [&](const KeyTile& tile) HWY_ATTR {
            const auto [j, keys, first, end, is_diagonal] = tile;
            transposed_scores(part, tile, k, q_transposed, scores);
            softmax_forward(part, tile, scores, highest, sums, shrink);
            for (int64_t r = first; j > 0 && r < count; ++r)
                if (shrink[r] != 1.0f)
                    convert_row(y + r * padded, padded, shrink[r], y + r * padded);
            tile_product(count - first, padded, keys, transposed(scores + first, kTile),
                         v + j * padded, padded, y + first * padded, padded, j > 0);
        });
        for (int64_t r = 0; r < count; ++r) {
            const int64_t n = (part.first_row + i + r) * op.heads + head;
            op.lse_NH.as<float>()[n] = highest[r] * part.scale + std::log(sums[r]);
            convert_row(y + r * padded, width, 1.0f / sums[r], op.y_NQ.as<T>() + n * width);
        }
    }
}

template <class T>
void backward_part(const AttentionBackward& op, int64_t sequence, int64_t group, float* scratch) {
    const AttentionPart part(op, sequence);
    const int64_t padded = part.padded, width = part.width, packed = part.packed;
    const T* rows = op.qkv_NP.as<T>() + part.first_row * packed;
    T* drows = op.dqkv_NP.as<T>() + part.first_row * packed;
    const int64_t k_column = (op.heads + group) * width, v_column = k_column + op.kv_heads * width;
    FloatStack stack{scratch};
    float *k = stack.take(part.time * padded), *v = stack.take(part.time * padded);
    float *dk = stack.take(part.time * padded), *dv = stack.take(part.time * padded);
    float *q = stack.take(kTile * padded), *q_transposed = stack.take(kTile * padded);
    float *dy = stack.take(kTile * padded), *dy_transposed = stack.take(kTile * padded);
    float* dq = stack.take(kTile * padded);
    float *p = stack.take(kTile * kTile), *ds = stack.take(kTile * kTile);
    float *lse = stack.take(kTile), *delta = stack.take(kTile);
    pack_rows(rows + k_column, packed, part.time, width, k, padded);
    pack_rows(rows + v_column, packed, part.time, width, v, padded);
    std::fill_n(dk, part.time * padded, 0.0f);
    std::fill_n(dv, part.time * padded, 0.0f);
    std::fill_n(lse, kTile, 0.0f);
    std::fill_n(delta, kTile, 0.0f);

    const int64_t share = op.heads / op.kv_heads, y_row = op.heads * width;
    for (int64_t head = group * share; head < (group + 1) * share; ++head) {
        const T* q_rows = rows + head * width;
        const T* y_rows = op.y_NQ.as<T>() + part.first_row * y_row + head * width;
        const T* dy_rows = op.dy_NQ.as<T>() + part.first_row * y_row + head * width;
        const float* lse_rows = op.lse_NH.as<float>() + part.first_row * op.heads + head;
        T* dq_rows = drows + head * width;
        for (int64_t i = 0; i < part.time; i += kTile) {
            const int64_t count = std::min(kTile, part.time - i);
            pack_rows(q_rows + i * packed, packed, count, width, q, padded);
            pack_rows(dy_rows + i * y_row, y_row, count, width, dy, padded);
            pack_panel<kTile>(q_rows + i * packed, packed, 1, count, width, q_transposed);
            pack_panel<kTile>(dy_rows + i * y_row, y_row, 1, count, width, dy_transposed);
            std::fill_n(dq, count * padded, 0.0f);
            for (int64_t r = 0; r < count; ++r) {
                lse[r] = lse_rows[(i + r) * op.heads] * std::numbers::log2e_v<float>;
                Lanes dot = zero_lanes();
                for_lanes(width, [&](auto access, int64_t d) HWY_ATTR {
                    dot = multiply_add(access.read(y_rows + (i + r) * y_row + d),
                                       access.read(dy + r * padded + d), dot);
                });
                delta[r] = sum_of(dot);
            }
            part.for_keys(i, count, [&](const KeyTile& tile) HWY_ATTR {
                const auto [j, keys, first, end, is_diagonal] = tile;
                transposed_scores(part, tile, k, q_transposed, p);
                tile_product(keys, end - first, width, {v + j * padded, padded, 1},
                             dy_transposed + first, kTile, ds + first, kTile, false);
                softmax_backward(part, tile, lse, delta, p, ds);
                tile_product(keys, padded, count - first, {p + first, kTile, 1},
                             dy + first * padded, padded, dv + j * padded, padded, true);
                tile_product(keys, padded, count - first, {ds + first, kTile, 1},
                             q + first * padded, padded, dk + j * padded, padded, true);
                tile_product(count - first, padded, keys, transposed(ds + first, kTile),
                             k + j * padded, padded, dq + first * padded, padded, true);
            });
            for (int64_t r = 0; r < count; ++r)
                convert_row(dq + r * padded, width, part.scale, dq_rows + (i + r) * packed);
        }
    }
    for (int64_t t = 0; t < part.time; ++t) {
        convert_row(dk + t * padded, width, part.scale, drows + t * packed + k_column);
        convert_row(dv + t * padded, width, 1.0f, drows + t * packed + v_column);
    }
}

}  // namespace

void attention_forward_part(const AttentionForward& op, int64_t sequence, int64_t head,
                            float* scratch) {
    with_storage(op.y_NQ, [&](auto t) { forward_part<decltype(t)>(op, sequence, head, scratch); });
}
void attention_backward_part(const AttentionBackward& op, int64_t sequence, int64_t group,
                             float* scratch) {
    with_storage(op.y_NQ,
                 [&](auto t) { backward_part<decltype(t)>(op, sequence, group, scratch); });
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {
namespace {

HWY_EXPORT(attention_forward_part);
HWY_EXPORT(attention_backward_part);

// Floats that a thread needs: keys and values of a sequence, backward their gradients too; and a
// few tiles.
template <class Op>
int64_t forward_floats(const Op& op) {
    const AttentionPart part(op, 0);
    return 2 * part.time * part.padded + 2 * kTile * part.padded + kTile * kTile + 3 * kTile;
}
template <class Op>
int64_t backward_floats(const Op& op) {
    const AttentionPart part(op, 0);
    return 4 * part.time * part.padded + 5 * kTile * part.padded + 2 * kTile * kTile + 2 * kTile;
}

float* thread_scratch(const Tensor& scratch, int thread, int64_t floats) {
    return static_cast<float*>(scratch.data) + thread * floats;
}

}  // namespace

void register_attention(OpTable& table, ThreadPool& pool) {
    const auto bytes = [&pool](int64_t floats) {
        return static_cast<size_t>(pool.threads() * floats) * sizeof(float);
    };
    add_cpu<AttentionForward>(
        table, &AttentionForward::y_NQ,
        [&pool](const AttentionForward& op) {
            const int64_t floats = forward_floats(op), sequences = op.y_NQ.dim(0) / op.time;
            pool.run(sequences * op.heads, [&](int64_t part, int thread) {
                HWY_DYNAMIC_DISPATCH(attention_forward_part)
                (op, part / op.heads, part % op.heads, thread_scratch(op.scratch, thread, floats));
            });
        },
        [bytes](const AttentionForward& op) { return bytes(forward_floats(op)); });
    add_cpu<AttentionBackward>(
        table, &AttentionBackward::y_NQ,
        [&pool](const AttentionBackward& op) {
            const int64_t floats = backward_floats(op), sequences = op.y_NQ.dim(0) / op.time;
            pool.run(sequences * op.kv_heads, [&](int64_t part, int thread) {
                HWY_DYNAMIC_DISPATCH(attention_backward_part)
                (op, part / op.kv_heads, part % op.kv_heads,
                 thread_scratch(op.scratch, thread, floats));
            });
        },
        [bytes](const AttentionBackward& op) { return bytes(backward_floats(op)); });
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
