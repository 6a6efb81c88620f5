#pragma once

#include <cstdint>
#include <span>

namespace polytrain {

// OLMo's rule for degenerate sequences. A run of period p is a stretch [begin, end) of the ids with
// ids[i] == ids[i - p] from begin + p on; it repeats (end - begin) / p times. True if a run of some
// period from 1 to 13 repeats 32 times or more.
bool is_repetitive(std::span<const int32_t> ids);

}  // namespace polytrain
