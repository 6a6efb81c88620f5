#pragma once

#include <string>
#include <vector>

#include "data/tokenizer.hpp"
#include "support/random.hpp"

namespace polytrain::testing {

// The ids of a text given in parts of random sizes, the small ones likelier; the last one is empty
// at times, as it is where the end of a file is seen only by reading on.
inline std::vector<int32_t> encode_in_parts(const Tokenizer& tokenizer, std::string_view text,
                                            Random& random) {
    const auto encoder = tokenizer.make_encoder();
    std::vector<int32_t> ids;
    while (true) {
        const auto size = static_cast<size_t>(random.integer(0, 40) * random.integer(0, 40));
        const bool last = size >= text.size() && (text.empty() || random.integer(0, 1) == 0);
        encoder->encode(text.substr(0, size), last, ids);
        if (last) return ids;
        text.remove_prefix(std::min(size, text.size()));
    }
}

}  // namespace polytrain::testing
