// Each pass sorts by one digit: blocks count the digits of their parts, the counts become the
// places where each block's entries of each digit begin, and the blocks move their entries there.

#include "kernels/cuda/sort_ids.hpp"

#include <bit>

namespace polytrain::cuda {
namespace {

constexpr int kDigitBits = 8, kDigits = 1 << kDigitBits;
constexpr int kThreads = 256, kWarps = kThreads / 32;   // a thread to a digit
constexpr int kOfWarp = 256, kPart = kWarps * kOfWarp;  // entries
static_assert(kThreads == kDigits);

int64_t parts_of(int64_t count) {
    return (count + kPart - 1) / kPart;
}

__device__ __forceinline__ int digit_of(int32_t id, int shift) {
    return static_cast<int>(static_cast<unsigned>(id) >> shift) % kDigits;
}

// counts_DP[digit, part].
__global__ void __launch_bounds__(kThreads)
    count_digits(const int32_t* ids_N, int64_t count, int shift, int* counts_DP) {
    SHARED_ARRAY(int, counts, kDigits);
    counts[threadIdx.x] = 0;
    __syncthreads();
    const int64_t first = int64_t{blockIdx.x} * kPart;
    for (int64_t i = first + threadIdx.x; i < first + kPart && i < count; i += kThreads)
        atomicAdd(&counts[digit_of(ids_N[i], shift)], 1);
    __syncthreads();
    counts_DP[int64_t{threadIdx.x} * gridDim.x + blockIdx.x] = counts[threadIdx.x];
}

// Each number becomes the sum of those before it. One block; a thread to a stretch.
constexpr int kSumThreads = 1024;
__global__ void __launch_bounds__(kSumThreads) sum_before(int* numbers, int64_t count) {
    SHARED_ARRAY(int, warp_sums, 32);
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int64_t stretch = (count + kSumThreads - 1) / kSumThreads;
    const int64_t begin = threadIdx.x * stretch;
    const int64_t end = begin + stretch < count ? begin + stretch : count;
    int own = 0;
    for (int64_t i = begin; i < end; ++i) own += numbers[i];
    int before = own;  // with its own, until the end
#pragma unroll
    for (int by = 1; by < 32; by *= 2) {
        const int other = __shfl_up_sync(~0u, before, static_cast<unsigned>(by));
        if (lane >= by) before += other;
    }
    if (lane == 31) warp_sums[warp] = before;
    __syncthreads();
    for (int w = 0; w < warp; ++w) before += warp_sums[w];
    before -= own;
    for (int64_t i = begin; i < end; ++i) {
        const int number = numbers[i];
        numbers[i] = before;
        before += number;
    }
}

// The lanes whose digit is this lane's; kDigits is past the end.
__device__ __forceinline__ unsigned lanes_alike(int digit) {
    unsigned alike = ~0u;
#pragma unroll
    for (int bit = 0; bit <= kDigitBits; ++bit) {
        const bool is_set = (digit >> bit & 1) != 0;
        const unsigned set = __ballot_sync(~0u, is_set);
        alike &= is_set ? set : ~set;
    }
    return alike;
}

// rows_N null: entry i is row i.
__global__ void __launch_bounds__(kThreads)
    move_entries(const int32_t* ids_N, const int32_t* rows_N, int64_t count, int shift,
                 const int* before_DP, int32_t* moved_ids_N, int32_t* moved_rows_N) {
    // Where the next entry of each digit of each warp goes.
    SHARED_ARRAY(int, places, kWarps* kDigits);
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    int* const own = places + warp * kDigits;
    const int64_t first = int64_t{blockIdx.x} * kPart + warp * kOfWarp;
    for (int digit = lane; digit < kDigits; digit += 32) own[digit] = 0;
    __syncwarp();
    for (int i = lane; i < kOfWarp && first + i < count; i += 32)
        atomicAdd(&own[digit_of(ids_N[first + i], shift)], 1);
    __syncthreads();
    int place = before_DP[int64_t{threadIdx.x} * gridDim.x + blockIdx.x];
    for (int w = 0; w < kWarps; ++w) {
        int& of_warp = places[w * kDigits + static_cast<int>(threadIdx.x)];
        const int entries = of_warp;
        of_warp = place;
        place += entries;
    }
    __syncthreads();
    for (int i = lane; i < kOfWarp; i += 32) {
        const int64_t at = first + i;
        const int32_t id = at < count ? ids_N[at] : 0;
        const int digit = at < count ? digit_of(id, shift) : kDigits;
        const unsigned alike = lanes_alike(digit);
        const int rank = __popc(alike & ((1u << lane) - 1));
        const int to = at < count ? own[digit] + rank : 0;
        __syncwarp();
        if (at < count) {
            if (rank == 0) own[digit] += __popc(alike);
            moved_ids_N[to] = id;
            moved_rows_N[to] = rows_N == nullptr ? static_cast<int32_t>(at) : rows_N[at];
        }
        __syncwarp();
    }
}

}  // namespace

size_t sort_ids_scratch_bytes(int64_t count) {
    return static_cast<size_t>(4 * count + kDigits * parts_of(count)) * sizeof(int32_t);
}

SortedIds sort_ids(const int32_t* ids_N, int64_t count, int64_t bound, void* scratch,
                   const Stream& stream) {
    const int64_t parts = parts_of(count);
    auto* const memory = static_cast<int32_t*>(scratch);
    int32_t* const ids[2] = {memory, memory + count};
    int32_t* const rows[2] = {memory + 2 * count, memory + 3 * count};
    int32_t* const counts = memory + 4 * count;
    SortedIds sorted{ids_N, nullptr};
    const int bits = std::bit_width(static_cast<uint64_t>(std::max<int64_t>(bound, 2) - 1));
    for (int shift = 0, to = 0; shift < bits; shift += kDigitBits, to = 1 - to) {
        launch("sort_ids.count", count_digits, {parts, kThreads}, stream, sorted.ids_N, count,
               shift, counts);
        launch("sort_ids.sum", sum_before, {parts > 0 ? 1 : 0, kSumThreads}, stream, counts,
               kDigits * parts);
        launch("sort_ids.move", move_entries, {parts, kThreads}, stream, sorted.ids_N,
               sorted.rows_N, count, shift, counts, ids[to], rows[to]);
        sorted = {ids[to], rows[to]};
    }
    return sorted;
}

}  // namespace polytrain::cuda
