#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace polytrain {

struct SampleOptions {
    int64_t tokens = 200;      // to generate
    double temperature = 0.8;  // 0: always the likeliest
    uint64_t seed = 1;
};

// Draws from softmax(logits / temperature) with the uniform number u in [0, 1); the likeliest (the
// lowest id of equals) at temperature 0. Logits that are not finite: exit 76.
int32_t draw_token(const std::vector<float>& logits, double temperature, double u);

// Generates after `prompt` (at least one id): `logits_after` is asked with the last `context` ids
// at most, `emit` gets each new id. Token i is a function of the logits, the seed and i alone.
void generate(std::vector<int32_t> prompt, int64_t context, const SampleOptions& options,
              const std::function<std::vector<float>(const std::vector<int32_t>&)>& logits_after,
              const std::function<void(int32_t)>& emit);

}  // namespace polytrain
