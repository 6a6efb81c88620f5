#include "data/tokenizer.hpp"

#include "core/error.hpp"

namespace polytrain {
namespace {

class ByteEncoder final : public Encoder {
  public:
    void encode(std::string_view part, bool, std::vector<int32_t>& ids) override {
        ids.reserve(ids.size() + part.size());
        for (const char byte : part) ids.push_back(static_cast<uint8_t>(byte));
    }
};

class ByteTokenizer final : public Tokenizer {
  public:
    std::string_view name() const override { return "bytes"; }
    int64_t vocab_size() const override { return 256; }
    std::string fingerprint() const override { return "bytes-1"; }
    std::optional<int32_t> separator() const override { return std::nullopt; }
    std::string file_text() const override { return {}; }
    std::unique_ptr<Encoder> make_encoder() const override {
        return std::make_unique<ByteEncoder>();
    }
    std::string decode(std::span<const int32_t> ids) const override {
        std::string text(ids.size(), '\0');
        for (size_t i = 0; i < ids.size(); ++i) {
            PT_CHECK(0 <= ids[i] && ids[i] < vocab_size(), "token {} is not a byte", ids[i]);
            text[i] = static_cast<char>(ids[i]);
        }
        return text;
    }
};

}  // namespace

EncodeReport& EncodeReport::operator+=(const EncodeReport& other) {
    invalid_bytes += other.invalid_bytes;
    dropped += other.dropped;
    forced_cuts += other.forced_cuts;
    return *this;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
    std::vector<int32_t> ids;
    make_encoder()->encode(text, true, ids);
    return ids;
}

std::unique_ptr<Tokenizer> make_tokenizer(const std::string& name) {
    if (name == "bytes") return std::make_unique<ByteTokenizer>();
    fail(ExitCode::kBadConfig, "there is no tokenizer \"{}\"; this version has: \"bytes\"", name);
}

}  // namespace polytrain
