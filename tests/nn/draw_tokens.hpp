#pragma once
// Random tokens for the small models.

#include "support/model_run.hpp"

namespace polytrain::testing {

inline std::vector<int32_t> random_ids(int64_t count, int64_t low, int64_t high, Random& random) {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < count; ++i)
        ids.push_back(static_cast<int32_t>(random.integer(low, high)));
    return ids;
}

// Gives both models the same new tokens, such that both send each token to the same experts: where
// two are about equal their storage types may choose differently.
inline void draw_tokens(const ModelRun& a, const ModelRun& b, int64_t count, Random& random) {
    for (int tries = 0; tries < 1000; ++tries) {
        const auto ids = random_ids(count, 0, 6, random),
                   targets = random_ids(count, -1, 6, random);
        for (const ModelRun* run : {&a, &b}) {
            run->set_tokens(ids, targets);
            run->forward();
        }
        if (a.choices() == b.choices()) return;
    }
    FAIL("the routers of two models never agree");
}

inline std::string text_of(const ModelConfig& config) {
    std::string text = config.feed_forward.activation;
    if (config.moe.experts > 0)
        text += fmt::format(", top {} of {}", config.moe.top_k, config.moe.experts);
    return text;
}

}  // namespace polytrain::testing
