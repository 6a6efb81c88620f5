#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/tokenizer/word_counter.hpp"

namespace polytrain {

// A vocabulary and merges learned from a text.
struct LearnedBpe {
    std::vector<std::string> tokens;  // by id
    std::vector<std::pair<int32_t, int32_t>> merges;
};

// Learns byte-pair encoding (Sennrich et al. 2016, algorithm 1): starting from the characters of
// the words, it merges the pair of neighbours that comes most often in them (of equals, the pair of
// the lowest ids), again and again, until there are `vocab_size` tokens or no pair comes twice. The
// same counts give the same result.
//
// Ids: `first_tokens` (specials, byte tokens; no merge makes one of these), then `alphabet`, single
// characters in this order, then what is merged. A character that is not in the alphabet parts its
// word in two. More tokens than vocab_size before any merge: exit 2.
LearnedBpe learn_bpe(const WordCounts& words, const std::vector<std::string>& first_tokens,
                     const std::vector<std::string>& alphabet, int64_t vocab_size);

}  // namespace polytrain
