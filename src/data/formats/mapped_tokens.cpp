#include "data/formats/mapped_tokens.hpp"

#include <fmt/format.h>

#include "core/hash.hpp"

namespace polytrain {

MappedTokens::MappedTokens(const std::string& layout, TokenArray array, int64_t vocab_size)
    : array_(std::move(array)) {
    std::string text = fmt::format("{} {} {}", layout, name_of(array_.type()), array_.tokens());
    for (const std::string& hash : array_.sweep(vocab_size)) text += "\n" + hash;
    fingerprint_ = content_hash(text);
}

}  // namespace polytrain
