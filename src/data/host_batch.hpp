#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ops/cross_entropy.hpp"

namespace polytrain {

// Token ids and targets of some sequences, in host memory.
struct HostBatch {
    std::vector<int32_t> ids, targets;
    int64_t filtered = 0;  // sequences that data.repetition_filter left out of the loss

    explicit HostBatch(int64_t tokens)
        : ids(static_cast<size_t>(tokens)), targets(static_cast<size_t>(tokens)) {}
    int64_t scored() const {
        return static_cast<int64_t>(targets.size()) -
               std::count(targets.begin(), targets.end(), kNotScored);
    }
};

}  // namespace polytrain
