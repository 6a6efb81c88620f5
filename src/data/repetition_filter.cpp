#include "data/repetition_filter.hpp"

#include <cstddef>

namespace polytrain {
namespace {

constexpr size_t kLongestPeriod = 13;
constexpr size_t kRepeats = 32;

bool has_run(std::span<const int32_t> ids, size_t period) {
    size_t equal = 0;  // ids before i, each equal to the one a period earlier
    for (size_t i = period; i < ids.size(); ++i) {
        equal = ids[i] == ids[i - period] ? equal + 1 : 0;
        if (equal == (kRepeats - 1) * period) return true;  // and one period before them
    }
    return false;
}

}  // namespace

bool is_repetitive(std::span<const int32_t> ids) {
    for (size_t period = 1; period <= kLongestPeriod; ++period)
        if (has_run(ids, period)) return true;
    return false;
}

}  // namespace polytrain
