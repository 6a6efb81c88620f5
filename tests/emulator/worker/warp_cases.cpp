#include "emulator/worker/cases.hpp"

namespace polytrain::emulator {
namespace {

// Each lane writes a row of 8 numbers of 16 bits, of which its left neighbour gives the address.
template <bool kBug>
void load_rows(const float* x, float* y) {
    SHARED_ARRAY(uint4, rows, 32);
    const int lane = static_cast<int>(threadIdx.x);
    const auto value = static_cast<uint32_t>(x[lane]) * 0x00010001u;
    rows[(lane + 1) % 32] = {value, value, value, value};
    if (!kBug) __syncwarp();
    uint32_t registers[4];
    cuda::ldmatrix_x4(registers, rows + lane);
    y[lane] = static_cast<float>(registers[0] & 0xffffu);
}
template <bool kBug>
bool missing_syncwarp_before_ldmatrix() {
    const auto y = run_on(load_rows<kBug>, counting(32), 1, 32);
    bool right = true;
    for (size_t lane = 0; lane < 32; ++lane)
        right &= y[lane] == static_cast<float>((lane / 4 + 31) % 32);
    return right;
}

template <bool kBug>
void neighbours(const float* x, float* y) {
    SHARED_ARRAY(float, a, 32);
    const int lane = static_cast<int>(threadIdx.x);
    a[lane] = x[lane];
    if (!kBug) __syncwarp();
    y[lane] = a[lane ^ 1];
}
template <bool kBug>
bool missing_syncwarp() {
    const auto y = run_on(neighbours<kBug>, counting(32), 1, 32);
    bool right = true;
    for (size_t lane = 0; lane < 32; ++lane) right &= y[lane] == static_cast<float>(lane ^ 1);
    return right;
}

// The halves of a warp sync apart, and more often the one than the other.
template <bool kBug>
void halves(const float* x, float* y) {
    SHARED_ARRAY(float, a, 32);
    const int lane = static_cast<int>(threadIdx.x);
    const unsigned mask = lane < 16 ? 0xffffu : 0xffff0000u;
    float sum = 0;
    for (int round = 0; round < (lane < 16 ? 4 : 2); ++round) {
        a[lane] = x[lane];
        __syncwarp(kBug && lane >= 16 ? 1u << lane : mask);
        sum += a[lane ^ 1];
        __syncwarp(mask);
    }
    y[lane] = sum;
}
template <bool kBug>
bool syncwarp_of_too_few() {
    const auto y = run_on(halves<kBug>, counting(32), 1, 32);
    bool right = true;
    for (size_t lane = 0; lane < 32; ++lane)
        right &= y[lane] == static_cast<float>((lane < 16 ? 4 : 2) * (lane ^ 1));
    return right;
}

// Only half of the warp comes to a shuffle that names all; the other half exits or goes on.
template <bool kBug>
void divergent_exit(const float* x, float* y) {
    const int lane = static_cast<int>(threadIdx.x);
    y[lane] = x[lane];
    if (lane < 16) y[lane] = __shfl_xor_sync(kBug ? ~0u : 0xffffu, x[lane], 1);
}
template <bool kBug>
void divergent_barrier(const float* x, float* y) {
    const int lane = static_cast<int>(threadIdx.x);
    y[lane] = x[lane];
    if (lane < 16) y[lane] = __shfl_xor_sync(kBug ? ~0u : 0xffffu, x[lane], 1);
    __syncthreads();
}
bool exchanged(const std::vector<float>& y) {
    bool right = true;
    for (size_t lane = 0; lane < 32; ++lane)
        right &= y[lane] == static_cast<float>(lane < 16 ? lane ^ 1 : lane);
    return right;
}
template <bool kBug>
bool full_mask_where_lanes_exit() {
    return exchanged(run_on(divergent_exit<kBug>, counting(32), 1, 32));
}
template <bool kBug>
bool full_mask_in_a_branch() {
    return exchanged(run_on(divergent_barrier<kBug>, counting(32), 1, 32));
}

template <bool kBug>
void two_calls(const float* x, float* y) {
    const int lane = static_cast<int>(threadIdx.x);
    if (kBug && lane < 16)
        y[lane] = __shfl_sync(~0u, x[lane], 3);
    else
        y[lane] = __shfl_sync(~0u, x[lane], 3);
}
template <bool kBug>
bool shuffles_at_two_places() {
    return run_on(two_calls<kBug>, counting(32), 1, 32) == std::vector<float>(32, 3.0f);
}

template <bool kBug>
void own_mask(const float* x, float* y) {
    const int lane = static_cast<int>(threadIdx.x);
    y[lane] = __shfl_sync(kBug ? 0xffffu : ~0u, x[lane], 3);
}
template <bool kBug>
bool lane_outside_its_mask() {
    return run_on(own_mask<kBug>, counting(32), 1, 32) == std::vector<float>(32, 3.0f);
}

}  // namespace

std::vector<Case> warp_cases() {
    return {
        {"missing_syncwarp_before_ldmatrix", missing_syncwarp_before_ldmatrix<true>,
         missing_syncwarp_before_ldmatrix<false>},
        {"missing_syncwarp", missing_syncwarp<true>, missing_syncwarp<false>},
        {"syncwarp_of_too_few", syncwarp_of_too_few<true>, syncwarp_of_too_few<false>},
        {"full_mask_where_lanes_exit", full_mask_where_lanes_exit<true>,
         full_mask_where_lanes_exit<false>},
        {"full_mask_in_a_branch", full_mask_in_a_branch<true>, full_mask_in_a_branch<false>},
        {"shuffles_at_two_places", shuffles_at_two_places<true>, shuffles_at_two_places<false>},
        {"lane_outside_its_mask", lane_outside_its_mask<true>, lane_outside_its_mask<false>},
    };
}

}  // namespace polytrain::emulator
