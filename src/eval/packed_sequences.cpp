#include "eval/packed_sequences.hpp"

#include <algorithm>

namespace polytrain {

std::vector<PackedSequences> pack(std::span<const ScoredSequence> sequences, int64_t rows) {
    std::vector<PackedSequences> passes;
    std::span<const int32_t> before;  // inputs of the pass's last sequence
    std::vector<int32_t> row_at;      // the row of each of them
    for (const ScoredSequence& sequence : sequences) {
        const std::span<const int32_t> inputs = sequence.inputs();
        const int64_t length = std::ssize(inputs), first_scored = length - sequence.scored;
        PT_CHECK(sequence.scored >= 1 && first_scored >= 0 && length <= rows,
                 "{} of {} tokens are scored, {} rows", sequence.scored, sequence.ids.size(), rows);
        int64_t shared =
            std::mismatch(inputs.begin(), inputs.end(), before.begin(), before.end()).first -
            inputs.begin();
        const auto is_full = [&](const PackedSequences& pass) {
            return std::ssize(pass.ids) + length - shared > rows ||
                   std::ssize(pass.rows) + sequence.scored > rows;
        };
        if (passes.empty() || is_full(passes.back())) {
            passes.emplace_back().first = &sequence - sequences.data();
            shared = 0;
        }
        PackedSequences& pass = passes.back();
        const int64_t begin = std::ssize(pass.ids), end = begin + length - shared;
        if (end > begin) pass.segments.push_back({begin, end, shared});
        pass.ids.insert(pass.ids.end(), inputs.begin() + shared, inputs.end());
        row_at.resize(static_cast<size_t>(shared));
        for (int64_t row = begin; row < end; ++row) row_at.push_back(static_cast<int32_t>(row));
        pass.rows.insert(pass.rows.end(), row_at.begin() + first_scored, row_at.end());
        pass.targets.insert(pass.targets.end(), sequence.ids.begin() + first_scored + 1,
                            sequence.ids.end());
        ++pass.count;
        before = inputs;
    }
    return passes;
}

}  // namespace polytrain
