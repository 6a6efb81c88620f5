#pragma once
// Sequences side by side in the rows of one forward pass. What a sequence begins with like the one
// before it is computed once: the context that a question's choices share, and examples that all
// questions share. There are no rows that pad anything but the batch's end.

#include <cstdint>
#include <span>
#include <vector>

#include "nn/layer.hpp"

namespace polytrain {

// Tokens of which the last `scored`, at least 1 and not all, are looked for: each as what follows
// those before it.
struct ScoredSequence {
    std::vector<int32_t> ids;
    int64_t scored = 0;

    // A forward pass reads all but the last.
    std::span<const int32_t> inputs() const { return std::span(ids).first(ids.size() - 1); }
};

// One forward pass.
struct PackedSequences {
    int64_t first = 0, count = 0;   // the sequences in it
    std::vector<int32_t> ids;       // of its rows
    std::vector<Segment> segments;  // its rows, in the order of the sequences
    // What is looked for, by sequence: targets[i] as what follows row rows[i].
    std::vector<int32_t> rows, targets;
};

// All sequences, in their order, in passes of at most `rows` rows and targets. No sequence may have
// more inputs than that.
std::vector<PackedSequences> pack(std::span<const ScoredSequence> sequences, int64_t rows);

}  // namespace polytrain
