#pragma once
// A stable sort of row numbers by id: least significant digit first, in whole numbers alone, so
// that the result is the same on every run (sort_ids.cu).

#include "kernels/cuda/kernel.hpp"

namespace polytrain::cuda {

// Where sort_ids leaves ids in ascending order, and the row of each; of equal ids the lower row
// first.
struct SortedIds {
    const int32_t* ids_N;
    const int32_t* rows_N;
};
size_t sort_ids_scratch_bytes(int64_t count);
// `bound`: ids are below it; such as aren't come somewhere, all with their rows.
SortedIds sort_ids(const int32_t* ids_N, int64_t count, int64_t bound, void* scratch,
                   const Stream& stream);

}  // namespace polytrain::cuda
