#pragma once
// Tokenizer: text to token ids and back. Kinds: src/data/tokenizer/.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polytrain {

// What encoders met that is worth telling; none of it stops them.
struct EncodeReport {
    int64_t invalid_bytes = 0;  // not UTF-8: encoded byte by byte
    int64_t dropped = 0;  // characters that the vocabulary can't express and no token stands for
    int64_t forced_cuts = 0;  // words too long for the memory bound, cut where ids may depend on it

    EncodeReport& operator+=(const EncodeReport& other);
    bool operator==(const EncodeReport&) const = default;
};

// Encodes documents, one after the other, for one thread: it owns caches and what is left over of a
// document given in parts. Memory is bounded whatever the lengths.
class Encoder {
  public:
    Encoder() = default;
    virtual ~Encoder() = default;
    Encoder(const Encoder&) = delete;
    Encoder& operator=(const Encoder&) = delete;

    // Appends ids of `part`, the next of its document; `last` ends the document. All parts together
    // give the ids of the whole document, wherever it is cut (but for report().forced_cuts). After
    // an exception the document is given up.
    virtual void encode(std::string_view part, bool last, std::vector<int32_t>& ids) = 0;

    const EncodeReport& report() const { return report_; }

  protected:
    EncodeReport report_;
};

class Tokenizer {
  public:
    Tokenizer() = default;
    virtual ~Tokenizer() = default;
    Tokenizer(const Tokenizer&) = delete;
    Tokenizer& operator=(const Tokenizer&) = delete;

    // "bytes", "chars" or "bpe".
    virtual std::string_view name() const = 0;
    // Ids are in [0, vocab_size()).
    virtual int64_t vocab_size() const = 0;
    // Equal for tokenizers that give equal ids for every text, else different.
    virtual std::string fingerprint() const = 0;
    // The id put after each document, if this tokenizer has one.
    virtual std::optional<int32_t> separator() const = 0;
    // The id put before a text where it begins, if this tokenizer has one.
    virtual std::optional<int32_t> begin_of_text() const { return std::nullopt; }
    // More of what it is made of, in lines for people to read.
    virtual std::string description() const { return {}; }
    // What a file holds that make_tokenizer() reads this tokenizer from; empty if it needs none.
    virtual std::string file_text() const = 0;

    // The tokenizer must outlive the encoder. Encoders of one tokenizer may run at the same time.
    virtual std::unique_ptr<Encoder> make_encoder() const = 0;
    // The ids of one whole document.
    std::vector<int32_t> encode(std::string_view text) const;
    // The bytes of the ids, which must be in the vocabulary; they need not be valid UTF-8, since a
    // character may span tokens.
    virtual std::string decode(std::span<const int32_t> ids) const = 0;
};

// "bytes" (the 256 byte values, no separator), or the path of a tokenizer file. Another word that
// is no file: exit 78; a damaged file: exit 65.
std::unique_ptr<Tokenizer> make_tokenizer(const std::string& name);

}  // namespace polytrain
