// Causal attention tile by tile, forward and backward, on vector lanes. One part is one head of one
// sequence forward, one group of heads that share keys and values backward: parts write nothing in
// common, and within a part every sum runs in a fixed order.

#include "ops/attention.hpp"

#include <algorithm>
#include <cmath>

#include "core/checked.hpp"
#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#ifndef POLYTRAIN_KERNELS_CPU_ATTENTION_ONCE
#define POLYTRAIN_KERNELS_CPU_ATTENTION_ONCE
namespace polytrain::cpu {

inline constexpr int64_t kQueryTile = 32;
inline constexpr int64_t kKeyTile = 64;
inline constexpr int64_t kWidthUnit = 16;  // head widths are padded to the widest vector

// Where a part finds its rows, and its sizes.
struct AttentionPart {
    int64_t first_row;  // of the sequence
    int64_t time, width, padded, packed;
    float scale;

    template <class Op>
    AttentionPart(const Op& op, int64_t sequence)
        : first_row(sequence * op.time),
          time(op.time),
          width(op.head_width()),
          padded(round_up(width, kWidthUnit)),
          packed(op.qkv_NP.dim(1)),
          scale(static_cast<float>(1 / std::sqrt(static_cast<double>(width)))) {}
    int64_t padded_time() const { return round_up(time, kKeyTile); }
};

// A thread's scratch, handed out front to back.
struct FloatStack {
    float* next;
    float* take(int64_t count) {
        float* taken = next;
        next += count;
        return taken;
    }
};

// Floats that a thread needs: forward keeps keys (transposed) and values of a sequence, backward
// both of them both ways and their gradients; both a few tiles.
template <class Op>
int64_t forward_floats(const Op& op) {
    const AttentionPart part(op, 0);
    return 2 * part.padded_time() * part.padded + 2 * kQueryTile * part.padded +
           kQueryTile * kKeyTile;
}
template <class Op>
int64_t backward_floats(const Op& op) {
    const AttentionPart part(op, 0);
    return 6 * part.padded_time() * part.padded + 3 * kQueryTile * part.padded +
           2 * kQueryTile * kKeyTile + kQueryTile;
}

}  // namespace polytrain::cpu
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace {

// A matrix read by broadcasting single elements.
struct Strided {
    const float* data;
    int64_t row_stride, column_stride;
};

template <int kRows, int kVectors>
HWY_INLINE void product_block(int64_t inner, Strided a, const float* HWY_RESTRICT b, int64_t b_row,
                              float* HWY_RESTRICT c, int64_t c_row, bool add) {
    const int64_t lanes = lane_count();
    Lanes sums[kRows][kVectors];
    for (int r = 0; r < kRows; ++r)
        for (int v = 0; v < kVectors; ++v)
            sums[r][v] = add ? load(c + r * c_row + v * lanes) : zero_lanes();
    for (int64_t k = 0; k < inner; ++k) {
        Lanes b_k[kVectors];
        for (int v = 0; v < kVectors; ++v) b_k[v] = load(b + k * b_row + v * lanes);
        for (int r = 0; r < kRows; ++r) {
            const Lanes a_rk(a.data[r * a.row_stride + k * a.column_stride]);
            for (int v = 0; v < kVectors; ++v) sums[r][v] = multiply_add(a_rk, b_k[v], sums[r][v]);
        }
    }
    for (int r = 0; r < kRows; ++r)
        for (int v = 0; v < kVectors; ++v) store(sums[r][v], c + r * c_row + v * lanes);
}

template <int kVectors>
HWY_INLINE void product_columns(int64_t rows, int64_t inner, Strided a, const float* b,
                                int64_t b_row, float* c, int64_t c_row, bool add) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4)
        product_block<4, kVectors>(inner,
                                   {a.data + r * a.row_stride, a.row_stride, a.column_stride}, b,
                                   b_row, c + r * c_row, c_row, add);
    for (; r < rows; ++r)
        product_block<1, kVectors>(inner,
                                   {a.data + r * a.row_stride, a.row_stride, a.column_stride}, b,
                                   b_row, c + r * c_row, c_row, add);
}

// c[rows, columns] = a[rows, inner] b[inner, columns], or added to c. Columns: whole vectors.
void tile_product(int64_t rows, int64_t columns, int64_t inner, Strided a, const float* b,
                  int64_t b_row, float* c, int64_t c_row, bool add) {
    const int64_t lanes = lane_count(), vectors = columns / lanes;
    for (int64_t v = 0; v + 2 <= vectors; v += 2)
        product_columns<2>(rows, inner, a, b + v * lanes, b_row, c + v * lanes, c_row, add);
    if (vectors % 2 == 1) {
        const int64_t last = (vectors - 1) * lanes;
        product_columns<1>(rows, inner, a, b + last, b_row, c + last, c_row, add);
    }
}

template <class From, class To>
HWY_INLINE void convert_row(const From* from, int64_t width, To* to) {
    for_lanes(width, [&](auto access, int64_t d)
                         HWY_ATTR { access.write(access.read(from + d), to + d); });
}

// to[rows, padded] from rows of a wider matrix; columns and rows past the data are zero.
template <class T>
void pack(const T* from, int64_t from_row, int64_t rows, int64_t width, float* to, int64_t to_rows,
          int64_t padded) {
    std::fill(to, to + to_rows * padded, 0.0f);
    for (int64_t r = 0; r < rows; ++r) convert_row(from + r * from_row, width, to + r * padded);
}

// The same transposed within tiles of kKeyTile rows: to[tile][padded][kKeyTile].
template <class T>
void pack_transposed(const T* from, int64_t from_row, int64_t rows, int64_t width, float* to,
                     int64_t to_rows, int64_t padded) {
    std::fill(to, to + to_rows * padded, 0.0f);
    for (int64_t r = 0; r < rows; ++r) {
        float* tile = to + r / kKeyTile * kKeyTile * padded + r % kKeyTile;
        for (int64_t d = 0; d < width; ++d)
            tile[d * kKeyTile] = static_cast<float>(from[r * from_row + d]);
    }
}

// Scores of queries [i, i + rows) and keys [j, j + kKeyTile), the future masked out.
void scores_tile(const AttentionPart& part, const float* q, int64_t i, int64_t rows,
                 const float* k_transposed, int64_t j, float* scores) {
    constexpr float kMasked = -1e30f;
    tile_product(rows, kKeyTile, part.width, {q, part.padded, 1}, k_transposed + j * part.padded,
                 kKeyTile, scores, kKeyTile, false);
    for (int64_t r = 0; r < rows; ++r) {
        float* row = scores + r * kKeyTile;
        for (int64_t c = 0; c < kKeyTile; c += lane_count())
            store(load(row + c) * Lanes(part.scale), row + c);
        const int64_t visible = std::clamp<int64_t>(i + r - j + 1, 0, kKeyTile);
        std::fill(row + visible, row + kKeyTile, kMasked);
    }
}

template <class T>
void forward_part(const AttentionForward& op, int64_t sequence, int64_t head, float* scratch) {
    const AttentionPart part(op, sequence);
    const int64_t padded = part.padded, keys = part.padded_time(), lanes = lane_count();
    const int64_t group = head / (op.heads / op.kv_heads);
    const T* rows = op.qkv_NP.as<T>() + part.first_row * part.packed;
    const T* k = rows + (op.heads + group) * part.width;
    const T* v = k + op.kv_heads * part.width;
    FloatStack stack{scratch};
    float *k_transposed = stack.take(keys * padded), *v_packed = stack.take(keys * padded);
    float *q = stack.take(kQueryTile * padded), *y = stack.take(kQueryTile * padded);
    float* scores = stack.take(kQueryTile * kKeyTile);
    pack_transposed(k, part.packed, part.time, part.width, k_transposed, keys, padded);
    pack(v, part.packed, part.time, part.width, v_packed, keys, padded);

    for (int64_t i = 0; i < part.time; i += kQueryTile) {
        const int64_t count = std::min(kQueryTile, part.time - i);
        pack(rows + i * part.packed + head * part.width, part.packed, count, part.width, q, count,
             padded);
        std::fill(y, y + count * padded, 0.0f);
        float highest[kQueryTile], sums[kQueryTile];
        std::fill(highest, highest + count, -1e30f);
        std::fill(sums, sums + count, 0.0f);
        for (int64_t j = 0; j < i + count; j += kKeyTile) {
            scores_tile(part, q, i, count, k_transposed, j, scores);
            // Online softmax: what was summed so far is scaled to the new highest score.
            for (int64_t r = 0; r < count; ++r) {
                float* row = scores + r * kKeyTile;
                Lanes tops(highest[r]);
                for (int64_t c = 0; c < kKeyTile; c += lanes) tops = max_of(tops, load(row + c));
                const float top = max_across(tops);
                const float shrink = std::exp(highest[r] - top);
                Lanes sum = zero_lanes();
                for (int64_t c = 0; c < kKeyTile; c += lanes) {
                    const Lanes p = exp_of(load(row + c) - Lanes(top));
                    store(p, row + c);
                    sum = sum + p;
                }
                sums[r] = sums[r] * shrink + sum_of(sum);
                highest[r] = top;
                for (int64_t d = 0; d < padded; d += lanes)
                    store(load(y + r * padded + d) * Lanes(shrink), y + r * padded + d);
            }
            const int64_t visible = std::min(kKeyTile, i + count - j);
            tile_product(count, padded, visible, {scores, kKeyTile, 1}, v_packed + j * padded,
                         padded, y, padded, true);
        }
        for (int64_t r = 0; r < count; ++r) {
            const int64_t n = part.first_row + i + r;
            op.lse_NH.as<float>()[n * op.heads + head] = highest[r] + std::log(sums[r]);
            T* to = op.y_NQ.as<T>() + (n * op.heads + head) * part.width;
            const Lanes scale(1.0f / sums[r]);
            for_lanes(part.width, [&](auto access, int64_t d) HWY_ATTR {
                access.write(access.read(y + r * padded + d) * scale, to + d);
            });
        }
    }
}

template <class T>
void backward_part(const AttentionBackward& op, int64_t sequence, int64_t group, float* scratch) {
    const AttentionPart part(op, sequence);
    const int64_t padded = part.padded, keys = part.padded_time(), lanes = lane_count();
    const int64_t width = part.width, packed = part.packed;
    const T* rows = op.qkv_NP.as<T>() + part.first_row * packed;
    T* drows = op.dqkv_NP.as<T>() + part.first_row * packed;
    const int64_t k_column = (op.heads + group) * width;
    const int64_t v_column = k_column + op.kv_heads * width;
    FloatStack stack{scratch};
    float *k_transposed = stack.take(keys * padded), *v_transposed = stack.take(keys * padded);
    float *k = stack.take(keys * padded), *v = stack.take(keys * padded);
    float *dk = stack.take(keys * padded), *dv = stack.take(keys * padded);
    float *q = stack.take(kQueryTile * padded), *dy = stack.take(kQueryTile * padded);
    float* dq = stack.take(kQueryTile * padded);
    float *p = stack.take(kQueryTile * kKeyTile), *ds = stack.take(kQueryTile * kKeyTile);
    float* delta = stack.take(kQueryTile);
    pack(rows + k_column, packed, part.time, width, k, keys, padded);
    pack(rows + v_column, packed, part.time, width, v, keys, padded);
    pack_transposed(k, padded, keys, width, k_transposed, keys, padded);
    pack_transposed(v, padded, keys, width, v_transposed, keys, padded);
    std::fill(dk, dk + keys * padded, 0.0f);
    std::fill(dv, dv + keys * padded, 0.0f);

    const int64_t share = op.heads / op.kv_heads;
    for (int64_t head = group * share; head < (group + 1) * share; ++head) {
        for (int64_t i = 0; i < part.time; i += kQueryTile) {
            const int64_t count = std::min(kQueryTile, part.time - i), n = part.first_row + i;
            const int64_t y_row = op.heads * width;
            const T* y_rows = op.y_NQ.as<T>() + (n * op.heads + head) * width;
            const T* dy_rows = op.dy_NQ.as<T>() + (n * op.heads + head) * width;
            pack(rows + i * packed + head * width, packed, count, width, q, count, padded);
            pack(dy_rows, y_row, count, width, dy, count, padded);
            std::fill(dq, dq + count * padded, 0.0f);
            for (int64_t r = 0; r < count; ++r) {
                Lanes dot = zero_lanes();
                for_lanes(width, [&](auto access, int64_t d) HWY_ATTR {
                    dot = multiply_add(access.read(y_rows + r * y_row + d),
                                       access.read(dy + r * padded + d), dot);
                });
                delta[r] = sum_of(dot);
            }
            for (int64_t j = 0; j < i + count; j += kKeyTile) {
                const int64_t visible = std::min(kKeyTile, i + count - j);
                scores_tile(part, q, i, count, k_transposed, j, p);
                tile_product(count, kKeyTile, width, {dy, padded, 1}, v_transposed + j * padded,
                             kKeyTile, ds, kKeyTile, false);
                for (int64_t r = 0; r < count; ++r) {
                    const Lanes lse(op.lse_NH.as<float>()[(n + r) * op.heads + head]);
                    float *p_row = p + r * kKeyTile, *ds_row = ds + r * kKeyTile;
                    for (int64_t c = 0; c < kKeyTile; c += lanes) {
                        const Lanes weight = exp_of(load(p_row + c) - lse);
                        store(weight, p_row + c);
                        store(weight * (load(ds_row + c) - Lanes(delta[r])) * Lanes(part.scale),
                              ds_row + c);
                    }
                }
                tile_product(visible, padded, count, {p, 1, kKeyTile}, dy, padded, dv + j * padded,
                             padded, true);
                tile_product(visible, padded, count, {ds, 1, kKeyTile}, q, padded, dk + j * padded,
                             padded, true);
                tile_product(count, padded, visible, {ds, kKeyTile, 1}, k + j * padded, padded, dq,
                             padded, true);
            }
            for (int64_t r = 0; r < count; ++r)
                convert_row(dq + r * padded, width, drows + (i + r) * packed + head * width);
        }
    }
    for (int64_t t = 0; t < part.time; ++t) {
        convert_row(dk + t * padded, width, drows + t * packed + k_column);
        convert_row(dv + t * padded, width, drows + t * packed + v_column);
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
