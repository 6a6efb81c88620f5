#pragma once
// Call: what one collective call of this process is, for messages, traces and comparing with what
// other ranks called.

#include <cstdint>
#include <string>
#include <vector>

namespace polytrain {

struct Call {
    // "all_reduce", what the caller says it is for, and what all ranks must agree on besides
    // ("sum of 3 f64").
    std::string kind{}, label{}, agreed{};
    int group = 0;
    std::string group_name{};
    int64_t sequence = 0;  // in its group
    int64_t bytes = 0;     // that this rank sends or holds
    int64_t step = 0;
    // Bytes to and from each rank of the group, where these are the rank's own affair (all_to_all).
    std::vector<int64_t> sends{}, receives{};
    // Seconds since the world was opened; below 0: not yet.
    double enqueued = -1, started = -1, ended = -1;

    // "all_to_all 'layers.3.moe rows'", "all_reduce 'counts' (sum of 3 i64)".
    std::string what() const;
    // "call 7 of group 'all'".
    std::string where() const;
    // Equal for calls that match on different ranks.
    uint64_t fingerprint() const;
};

}  // namespace polytrain
