#pragma once
// Tokenizer files small enough to be written out, for what the real ones don't show.

#include <nlohmann/json.hpp>
#include <string>

#include "data/tokenizer/bpe_tokenizer.hpp"

namespace polytrain::testing {

// `pre_tokenizer` null makes the whole text one piece of characters.
inline nlohmann::json toy_file(const nlohmann::json& vocabulary, const nlohmann::json& merges,
                               const nlohmann::json& pre_tokenizer = nullptr) {
    return {{"version", "1.0"},
            {"pre_tokenizer", pre_tokenizer},
            {"decoder", {{"type", "Fuse"}}},
            {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}}}};
}

inline std::unique_ptr<Tokenizer> make_toy(const nlohmann::json& file) {
    return make_bpe_tokenizer(file.dump(), "toy.json");
}

}  // namespace polytrain::testing
