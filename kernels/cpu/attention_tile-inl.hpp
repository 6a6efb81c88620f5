// What attention computes of a tile: products of small matrices in f32, rows packed for them, and
// softmax over scores that have a row for each key and a lane for each query.
// Included once per instruction set, after hwy/foreach_target.h; the guard follows Highway's rule.

#if defined(POLYTRAIN_KERNELS_CPU_ATTENTION_TILE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYTRAIN_KERNELS_CPU_ATTENTION_TILE_INL_HPP
#undef POLYTRAIN_KERNELS_CPU_ATTENTION_TILE_INL_HPP
#else
#define POLYTRAIN_KERNELS_CPU_ATTENTION_TILE_INL_HPP
#endif

#include <algorithm>

#include "kernels/cpu/attention_part.hpp"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {

// A matrix read by broadcasting single elements.
struct Strided {
    const float* data;
    int64_t row_stride, column_stride;
};
HWY_INLINE Strided transposed(const float* data, int64_t row) {
    return {data, 1, row};
}

// What the registers hold of a product: 16 sums of 32 registers, or 8 of 16.
constexpr int kBlockRows = 4;
constexpr int kBlockVectors = hn::MaxLanes(LaneTag()) >= 16 ? 4 : 2;

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
    const auto from = [&](int64_t r) {
        return Strided{a.data + r * a.row_stride, a.row_stride, a.column_stride};
    };
    int64_t r = 0;
    for (; r + kBlockRows <= rows; r += kBlockRows)
        product_block<kBlockRows, kVectors>(inner, from(r), b, b_row, c + r * c_row, c_row, add);
    for (; r < rows; ++r)
        product_block<1, kVectors>(inner, from(r), b, b_row, c + r * c_row, c_row, add);
}

// c[rows, columns] = a[rows, inner] b[inner, columns], or added to c. Columns: whole vectors.
HWY_NOINLINE inline void tile_product(int64_t rows, int64_t columns, int64_t inner, Strided a,
                                      const float* b, int64_t b_row, float* c, int64_t c_row,
                                      bool add) {
    const int64_t lanes = lane_count(), vectors = columns / lanes;
    int64_t v = 0;
    for (; v + kBlockVectors <= vectors; v += kBlockVectors)
        product_columns<kBlockVectors>(rows, inner, a, b + v * lanes, b_row, c + v * lanes, c_row,
                                       add);
    if (kBlockVectors > 2 && v + 2 <= vectors) {
        product_columns<2>(rows, inner, a, b + v * lanes, b_row, c + v * lanes, c_row, add);
        v += 2;
    }
    if (v < vectors)
        product_columns<1>(rows, inner, a, b + v * lanes, b_row, c + v * lanes, c_row, add);
}

template <class From, class To>
HWY_INLINE void convert_row(const From* from, int64_t width, float scale, To* to) {
    const Lanes factor(scale);
    for_lanes(width, [&](auto access, int64_t d)
                         HWY_ATTR { access.write(access.read(from + d) * factor, to + d); });
}

// to[rows, padded] from rows of a wider matrix; columns past the data are zero.
template <class T>
void pack_rows(const T* from, int64_t from_row, int64_t rows, int64_t width, float* to,
               int64_t padded) {
    for (int64_t r = 0; r < rows; ++r) {
        convert_row(from + r * from_row, width, 1.0f, to + r * padded);
        std::fill(to + r * padded + width, to + (r + 1) * padded, 0.0f);
    }
}

// scores[keys][kTile], not yet scaled, the future masked out.
inline void transposed_scores(const AttentionPart& part, const KeyTile& tile, const float* k,
                              const float* q_transposed, float* scores) {
    tile_product(tile.keys, tile.end - tile.first, part.width,
                 {k + tile.j * part.padded, part.padded, 1}, q_transposed + tile.first, kTile,
                 scores + tile.first, kTile, false);
    if (!tile.is_diagonal) return;
    for (int64_t r = 0; r < tile.keys; ++r)
        std::fill_n(scores + r * kTile + tile.first, r, kMasked);
}

// Online softmax: turns scores[keys][kTile] into weights exp(scale (score - highest)); what earlier
// weights summed up to counts `shrink` times in these. `highest` rises only to scores whose weight
// would pass 2^kSlack, so that sums are rarely scaled.
inline void softmax_forward(const AttentionPart& part, const KeyTile& tile, float* scores,
                            float* highest, float* sums, float* shrink) {
    constexpr float kSlack = 8;
    const Lanes scale(part.scale_base2);
    for (int64_t c = tile.first; c < tile.end; c += lane_count()) {
        const auto row = [&](int64_t r) { return scores + r * kTile + c; };
        const Lanes before = load(highest + c);
        Lanes top = load(row(tile.keys - 1)), other = before;  // two: one would wait for itself
        for (int64_t r = 0; r + 1 < tile.keys; r += 2) {
            top = max_of(top, load(row(r)));
            other = max_of(other, load(row(r + 1)));
        }
        top = max_of(top, other);
        top = if_positive((top - before) * scale - Lanes(kSlack), top, before);
        const Lanes less = exp2_of((before - top) * scale), shift = top * scale;
        Lanes sum = load(sums + c) * less;
        for (int64_t r = 0; r < tile.keys; ++r) {
            const Lanes p = exp2_of(multiply_subtract(load(row(r)), scale, shift));
            store(p, row(r));
            sum = sum + p;
        }
        store(top, highest + c);
        store(sum, sums + c);
        store(less, shrink + c);
    }
}

// Turns p, scores[keys][kTile], into weights, and ds, dy . v, into gradients of scaled scores; lse
// is that of the scores to base 2.
inline void softmax_backward(const AttentionPart& part, const KeyTile& tile, const float* lse,
                             const float* delta, float* p, float* ds) {
    const Lanes scale(part.scale_base2);
    for (int64_t r = 0; r < tile.keys; ++r) {
        float *p_row = p + r * kTile, *ds_row = ds + r * kTile;
        for (int64_t c = tile.first; c < tile.end; c += lane_count()) {
            const Lanes weight = exp2_of(multiply_subtract(load(p_row + c), scale, load(lse + c)));
            store(weight, p_row + c);
            store(weight * (load(ds_row + c) - load(delta + c)), ds_row + c);
        }
    }
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
