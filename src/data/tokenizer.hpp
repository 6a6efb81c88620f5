#pragma once
// Tokenizer: text to token ids and back.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polytrain {

class Tokenizer {
  public:
    Tokenizer() = default;
    virtual ~Tokenizer() = default;
    Tokenizer(const Tokenizer&) = delete;
    Tokenizer& operator=(const Tokenizer&) = delete;

    // The word in the config that makes this tokenizer.
    virtual std::string_view name() const = 0;
    // Ids are in [0, vocab_size()).
    virtual int64_t vocab_size() const = 0;
    // Equal for tokenizers that give equal ids for every text, else different.
    virtual std::string fingerprint() const = 0;
    // The id put after each document, if this tokenizer has one.
    virtual std::optional<int32_t> separator() const = 0;

    virtual std::vector<int32_t> encode(std::string_view text) const = 0;
    // The bytes of the ids; they need not be valid UTF-8, since a character may span tokens.
    virtual std::string decode(std::span<const int32_t> ids) const = 0;
};

// "bytes": the 256 byte values, no separator. Another name: exit 78.
std::unique_ptr<Tokenizer> make_tokenizer(std::string_view name);

}  // namespace polytrain
