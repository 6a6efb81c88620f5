#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace polytrain {

// In this order: the temperature, the top_k likeliest tokens, of these the fewest likeliest that
// together have the probability top_p. Of equals the lower id is the likelier.
struct Sampling {
    double temperature = 0.8;  // 0: always the likeliest
    int64_t top_k = 0;         // 0: all
    double top_p = 1;          // of what top_k leaves; 1: all
};

struct SampleOptions : Sampling {
    int64_t tokens = 200;  // to generate
    uint64_t seed = 1;
};

// A token that may be drawn; the probabilities of all that may add up to 1.
struct Candidate {
    int32_t id = 0;
    double probability = 0;
};

// By ascending id. Logits that are not finite: exit 76.
std::vector<Candidate> candidates(const std::vector<float>& logits, const Sampling& sampling);

// Draws one of them with the uniform number u in [0, 1).
int32_t draw_token(const std::vector<float>& logits, const Sampling& sampling, double u);

// Generates after `prompt` (at least one id, of which the last `context` count): `logits_after` is
// asked with at most `context` ids, `emit` gets each new id. When the context is full the newer
// half of it is kept, so that a cache of keys and values serves for half a context before it is
// made anew. Token i is a function of the logits, the seed and i alone.
void generate(std::vector<int32_t> prompt, int64_t context, const SampleOptions& options,
              const std::function<std::vector<float>(const std::vector<int32_t>&)>& logits_after,
              const std::function<void(int32_t)>& emit);

}  // namespace polytrain
