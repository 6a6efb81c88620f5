#pragma once
// Rows that a block goes through more than once. Their packs are staged in shared memory by the
// thread that reads them, and only it reads them back, so that this needs no barrier. Where a row
// doesn't fit, its first columns are staged and the rest is read again: no width costs more than
// what is past the memory.

#include "kernels/cuda/kernel.hpp"

namespace polytrain::cuda {

// Columns of `rows` rows of T that are staged of a width, whole packs, and the bytes they take.
// `own` is what the kernel declares itself.
struct Staged {
    int columns = 0;
    size_t bytes = 0;
};
template <class T>
Staged staged_columns(int64_t width, int rows, size_t most_shared, size_t own = 2048) {
    const auto column = sizeof(T) * static_cast<size_t>(rows);
    const auto fitting = most_shared <= own ? int64_t{0}
                                            : static_cast<int64_t>((most_shared - own) / column) /
                                                  kPack<T> * kPack<T>;
    const int64_t packed = (width + kPack<T> - 1) / kPack<T> * kPack<T>;
    const int64_t columns = std::min(packed, fitting);
    return {static_cast<int>(columns), static_cast<size_t>(columns) * column};
}

// Calls f(column, packs), packs[s] the thread's 16 bytes of row s there, for all of the thread's
// columns; kTurns loads of each row are on their way at once. The first kStaged rows come from
// `staged`, where row s is at s * columns, up to `columns`.
template <int kTurns, int kStaged, int kRows, class T, class F>
__device__ __forceinline__ void for_packs(const T* const (&rows)[kRows], int width, const T* staged,
                                          int columns, F&& f) {
    const int step = static_cast<int>(blockDim.x) * kPack<T>;
    for (int first = static_cast<int>(threadIdx.x) * kPack<T>; first < width;
         first += kTurns * step) {
        uint4 packs[kTurns][kRows];
#pragma unroll
        for (int turn = 0; turn < kTurns; ++turn) {
            const int c = first + turn * step;
            if (c >= width) continue;
#pragma unroll
            for (int s = 0; s < kRows; ++s)
                packs[turn][s] = s < kStaged && c < columns ? load_16(staged + s * columns + c)
                                                            : load_raw(rows[s] + c, width - c);
        }
#pragma unroll
        for (int turn = 0; turn < kTurns; ++turn) {
            const int c = first + turn * step;
            if (c < width) f(c, packs[turn]);
        }
    }
}
// All from the rows, of which the first kStaged are staged.
template <int kTurns, int kStaged, int kRows, class T, class F>
__device__ __forceinline__ void for_packs_staging(const T* const (&rows)[kRows], int width,
                                                  T* staged, int columns, F&& f) {
    for_packs<kTurns, 0>(rows, width, staged, 0, [&](int c, const uint4(&packs)[kRows]) {
        if (c < columns) {
#pragma unroll
            for (int s = 0; s < kStaged; ++s) store_16(staged + s * columns + c, packs[s]);
        }
        f(c, packs);
    });
}

}  // namespace polytrain::cuda
