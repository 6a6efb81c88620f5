#include "emulator/worker/cases.hpp"

namespace polytrain::emulator {
namespace {

template <bool kBug>
void reverse(const float* x, float* y) {
    SHARED_ARRAY(float, a, kThreads);
    const int t = static_cast<int>(threadIdx.x);
    a[t] = x[t];
    if (!kBug) __syncthreads();
    y[t] = a[kThreads - 1 - t];
}
template <bool kBug>
bool missing_barrier() {
    const auto x = counting(kThreads), y = run_on(reverse<kBug>, x);
    return y == std::vector<float>(x.rbegin(), x.rend());
}

// y_t = sum over rounds r of x_(r, 63 - t), by one shared array.
template <bool kBug>
void reuse(const float* x, float* y) {
    SHARED_ARRAY(float, a, kThreads);
    const int t = static_cast<int>(threadIdx.x);
    float sum = 0;
    for (int round = 0; round < 2; ++round) {
        a[t] = x[round * kThreads + t];
        __syncthreads();
        sum += a[kThreads - 1 - t];
        if (!kBug) __syncthreads();
    }
    y[t] = sum;
}
template <bool kBug>
bool reuse_without_barrier() {
    const auto x = counting(2 * kThreads), y = run_on(reuse<kBug>, x);
    bool right = true;
    for (size_t t = 0; t < kThreads; ++t)
        right &= y[t] == x[kThreads - 1 - t] + x[2 * kThreads - 1 - t];
    return right;
}

// The same where all read in the same place what one thread wrote.
template <bool kBug>
void broadcast(const float* x, float* y) {
    SHARED_ARRAY(float, one, 1);
    const int t = static_cast<int>(threadIdx.x);
    float sum = 0;
    for (int round = 0; round < 4; ++round) {
        if (t == round) one[0] = x[t];
        __syncthreads();
        sum += one[0];
        if (!kBug) __syncthreads();
    }
    y[t] = sum;
}
template <bool kBug>
bool broadcast_without_barrier() {
    const auto y = run_on(broadcast<kBug>, counting(kThreads, 1));
    return y == std::vector<float>(kThreads, 1 + 2 + 3 + 4);
}

template <bool kBug>
void divergent(const float* x, float* y) {
    const int t = static_cast<int>(threadIdx.x);
    if (kBug && t < 32)
        __syncthreads();
    else
        __syncthreads();
    y[t] = x[t];
}
template <bool kBug>
bool divergent_barrier() {
    return run_on(divergent<kBug>, counting(kThreads)) == counting(kThreads);
}

template <bool kBug>
void early_return(const float* x, float* y) {
    const int t = static_cast<int>(threadIdx.x);
    y[t] = x[t];
    if (kBug && t >= 32) return;
    __syncthreads();
}
template <bool kBug>
bool barrier_after_exit() {
    return run_on(early_return<kBug>, counting(kThreads)) == counting(kThreads);
}

// A sum over blocks: to be one by atomicAdd.
template <bool kBug>
void count_blocks(int* total) {
    if (threadIdx.x != 0) return;
    if (kBug)
        *total += 1;
    else
        atomicAdd(total, 1);
}
template <bool kBug>
bool cross_block_sum() {
    const OwnStream stream;
    const DeviceArray<int> total(std::vector<int>{0}, stream);
    must(cuda::launch_kernel(count_blocks<kBug>, dim3(8), dim3(32), 0, stream, total.data()));
    return total.read(stream)[0] == 8;
}

// The same in blocks with barriers, which order threads of one block alone.
template <bool kBug>
void count_at_barriers(int* total) {
    if (threadIdx.x == 0) {
        if (kBug)
            *total += 1;
        else
            atomicAdd(total, 1);
    }
    __syncthreads();
    __syncthreads();
}
template <bool kBug>
bool cross_block_sum_before_barrier() {
    const OwnStream stream;
    const DeviceArray<int> total(std::vector<int>{0}, stream);
    must(cuda::launch_kernel(count_at_barriers<kBug>, dim3(8), dim3(kThreads), 0, stream,
                             total.data()));
    return total.read(stream)[0] == 8;
}

}  // namespace

std::vector<Case> barrier_cases() {
    return {
        {"missing_barrier", missing_barrier<true>, missing_barrier<false>},
        {"reuse_without_barrier", reuse_without_barrier<true>, reuse_without_barrier<false>},
        {"broadcast_without_barrier", broadcast_without_barrier<true>,
         broadcast_without_barrier<false>},
        {"divergent_barrier", divergent_barrier<true>, divergent_barrier<false>},
        {"barrier_after_exit", barrier_after_exit<true>, barrier_after_exit<false>},
        {"cross_block_sum", cross_block_sum<true>, cross_block_sum<false>},
        {"cross_block_sum_before_barrier", cross_block_sum_before_barrier<true>,
         cross_block_sum_before_barrier<false>},
    };
}

}  // namespace polytrain::emulator
