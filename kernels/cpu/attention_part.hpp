#pragma once
// What the CPU's attention works on at a time: parts, and tiles of a part.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/checked.hpp"

namespace polytrain::cpu {

inline constexpr int64_t kTile = 64;   // queries, and keys before all of them
inline constexpr int64_t kStrip = 16;  // keys among a tile's queries; the widest vector
inline constexpr float kMasked = -1e30f;

// Keys [j, j + keys), with the queries [first, end) of a tile: whole strips, the last filled up
// with zeros. On the diagonal key j + r is in the future of queries first + [0, r).
struct KeyTile {
    int64_t j, keys, first, end;
    bool is_diagonal;
};

// Where a part finds its rows, and its sizes.
struct AttentionPart {
    int64_t first_row;  // of the sequence
    int64_t time, width, padded, packed;
    float scale, scale_base2;  // of scores, for exp and for exp2

    template <class Op>
    AttentionPart(const Op& op, int64_t sequence)
        : first_row(sequence * op.time),
          time(op.time),
          width(op.head_width()),
          padded(round_up(width, kStrip)),
          packed(op.qkv_NP.dim(1)),
          scale(static_cast<float>(1 / std::sqrt(static_cast<double>(width)))),
          scale_base2(
              static_cast<float>(std::numbers::log2e / std::sqrt(static_cast<double>(width)))) {}

    // Calls f(KeyTile) for all keys that the queries [i, i + count) see, in order. Keys among these
    // queries come in strips, each without the queries before it.
    template <class F>
    void for_keys(int64_t i, int64_t count, F&& f) const {
        const int64_t end = round_up(count, kStrip);
        for (int64_t j = 0; j < i; j += kTile) f(KeyTile{j, kTile, 0, end, false});
        for (int64_t first = 0; first < count; first += kStrip)
            f(KeyTile{i + first, std::min(kStrip, count - first), first, end, true});
    }
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

}  // namespace polytrain::cpu
