#include "emulator/worker/cases.hpp"

namespace polytrain::emulator {
namespace {

// Copies in the background 16 bytes a thread, which another thread reads.
enum class CopyBug { kNone, kNoWait, kNoBarrier, kOneGroupTooFew, kNeverWaited };

template <CopyBug kBug>
void copy_across(const float* x, float* y) {
    SHARED_ARRAY(float, a, 2 * kThreads);
    const int t = static_cast<int>(threadIdx.x), groups = kThreads / 4;
    if (t < groups) {
        cuda::cp_async_16(a + 4 * t, x + 4 * t);
        cuda::cp_async_commit();
        cuda::cp_async_16(a + kThreads + 4 * t, x + 4 * t, false);  // 0s
        cuda::cp_async_commit();
        if constexpr (kBug == CopyBug::kOneGroupTooFew)
            cuda::cp_async_wait<2>();
        else if constexpr (kBug != CopyBug::kNoWait && kBug != CopyBug::kNeverWaited)
            cuda::cp_async_wait<1>();
    }
    if (kBug != CopyBug::kNoBarrier) __syncthreads();
    y[t] = a[kThreads - 1 - t];
    if (kBug != CopyBug::kNeverWaited) cuda::cp_async_wait<0>();
}
template <CopyBug kBug>
bool copy_case() {
    const auto x = counting(kThreads), y = run_on(copy_across<kBug>, x);
    return y == std::vector<float>(x.rbegin(), x.rend());
}

// What a copy brings where it is told that there is nothing.
template <bool kBug>
void copy_nothing(const float* x, float* y) {
    SHARED_ARRAY(float, a, kThreads);
    const int t = static_cast<int>(threadIdx.x);
    if (t < kThreads / 4) cuda::cp_async_16(a + 4 * t, x + 4 * t + (kBug ? 1 : 0), false);
    cuda::cp_async_wait<0>();
    cuda::cp_async_commit();
    cuda::cp_async_wait<0>();
    __syncthreads();
    y[t] = a[t];
}
template <bool kBug>
bool misaligned_copy() {
    return run_on(copy_nothing<kBug>, counting(kThreads)) == std::vector<float>(kThreads, 0.0f);
}

template <bool kBug>
void past_the_end(const float* x, float* y) {
    SHARED_ARRAY(float, a, kThreads);
    const int t = static_cast<int>(threadIdx.x);
    a[t + (kBug ? 1 : 0)] = x[t];
    __syncthreads();
    y[t] = x[t];
}
template <bool kBug>
bool shared_out_of_bounds() {
    return run_on(past_the_end<kBug>, counting(kThreads)) == counting(kThreads);
}
template <bool kBug>
void past_the_allocation(const float* x, float* y) {
    const int t = static_cast<int>(threadIdx.x);
    y[t + (kBug ? 1 : 0)] = x[t];
    if (kBug) y[0] = x[0];
}
template <bool kBug>
bool device_out_of_bounds() {
    const auto y = run_on(past_the_allocation<kBug>, counting(kThreads));
    return kBug || y == counting(kThreads);
}

template <bool kBug>
void packs(const float* x, float* y) {
    const int t = static_cast<int>(threadIdx.x);
    if (t < kThreads / 4 - 1) cuda::store_16(y + 4 * t, cuda::load_16(x + 4 * t + (kBug ? 1 : 0)));
}
template <bool kBug>
void float4s(const float* x, float* y) {
    const int t = static_cast<int>(threadIdx.x);
    const float* from = x + 4 * t + (kBug ? 1 : 0);
    if (t < kThreads / 4 - 1) y[t] = reinterpret_cast<const float4*>(from)->y;
}
template <bool kBug>
bool misaligned_pack() {
    return run_on(packs<kBug>, counting(kThreads))[9] == 9;
}
template <bool kBug>
bool misaligned_float4() {
    return run_on(float4s<kBug>, counting(kThreads))[2] == (kBug ? 10 : 9);
}

template <bool kBug>
void sum_of_two(const float* x, float* y) {
    const int t = static_cast<int>(threadIdx.x);
    y[t] = kBug ? y[t] + x[t] : x[t];
}
template <bool kBug>
bool read_before_written() {
    return run_on(sum_of_two<kBug>, counting(kThreads)) == counting(kThreads);
}

void copy_one(const float* x, float* y) {
    y[threadIdx.x] = x[threadIdx.x];
}
template <bool kBug>
bool host_pointer() {
    const OwnStream stream;
    const auto x = counting(kThreads);
    const DeviceArray<float> in(x, stream), out(kThreads);
    must(cuda::launch_kernel(copy_one, dim3(1), dim3(kThreads), 0, stream,
                             kBug ? x.data() : in.data(), out.data()));
    return out.read(stream) == x;
}
template <bool kBug>
bool host_touches_device() {
    const OwnStream stream;
    const DeviceArray<float> in(counting(kThreads), stream);
    if (!kBug) return in.read(stream)[1] == 1;
    return *static_cast<const volatile float*>(in.data() + 1) == 1;
}
template <bool kBug>
bool use_after_free() {
    const OwnStream stream;
    float* data = nullptr;
    must(cudaMalloc(reinterpret_cast<void**>(&data), kThreads * sizeof(float)));
    const DeviceArray<float> in(counting(kThreads), stream);
    if (kBug) must(cudaFree(data));
    must(cuda::launch_kernel(copy_one, dim3(1), dim3(kThreads), 0, stream, in.data(), data));
    if (!kBug) must(cudaFree(data));
    return true;
}

}  // namespace

std::vector<Case> memory_cases() {
    return {
        {"missing_copy_wait", copy_case<CopyBug::kNoWait>, copy_case<CopyBug::kNone>},
        {"copy_wait_without_barrier", copy_case<CopyBug::kNoBarrier>, copy_case<CopyBug::kNone>},
        {"copy_wait_one_group_too_few", copy_case<CopyBug::kOneGroupTooFew>,
         copy_case<CopyBug::kNone>},
        {"copy_never_waited_for", copy_case<CopyBug::kNeverWaited>, copy_case<CopyBug::kNone>},
        {"misaligned_copy", misaligned_copy<true>, misaligned_copy<false>},
        {"shared_out_of_bounds", shared_out_of_bounds<true>, shared_out_of_bounds<false>},
        {"device_out_of_bounds", device_out_of_bounds<true>, device_out_of_bounds<false>},
        {"misaligned_pack", misaligned_pack<true>, misaligned_pack<false>},
        {"misaligned_float4", misaligned_float4<true>, misaligned_float4<false>},
        {"read_before_written", read_before_written<true>, read_before_written<false>},
        {"host_pointer", host_pointer<true>, host_pointer<false>},
        {"host_touches_device", host_touches_device<true>, host_touches_device<false>},
        {"use_after_free", use_after_free<true>, use_after_free<false>},
    };
}

}  // namespace polytrain::emulator
