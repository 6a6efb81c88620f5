#pragma once

#include <cstddef>
#include <string>

namespace polytrain::cuda {

// What kernels are chosen by.
struct DeviceInfo {
    std::string name;
    int multiprocessors = 1;
    size_t most_shared = 48 << 10;  // bytes a block may have, when its launch asks for them
};

}  // namespace polytrain::cuda
