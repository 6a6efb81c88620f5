#pragma once
// Kernels and host code with one bug planted in each, and the same without it. kBug is always the
// only difference of the two.

#include <string_view>
#include <vector>

#include "emulator/device_memory.hpp"

namespace polytrain::emulator {

struct Case {
    std::string_view name;
    // Whether the numbers came out right.
    bool (*with_bug)();
    bool (*without)();
};
std::vector<Case> barrier_cases();
std::vector<Case> warp_cases();
std::vector<Case> memory_cases();
std::vector<Case> stream_cases();

inline constexpr int kThreads = 64;

// Launches over one stream of its own: reads kThreads numbers per block, writes as many.
template <class... Parameters>
std::vector<float> run_on(void (*kernel)(Parameters...), const std::vector<float>& x,
                          unsigned blocks = 1, unsigned threads = kThreads) {
    const OwnStream stream;
    const DeviceArray<float> in(x, stream), out(x.size());
    must(
        cuda::launch_kernel(kernel, dim3(blocks), dim3(threads), 0, stream, in.data(), out.data()));
    return out.read(stream);
}

}  // namespace polytrain::emulator
