#include "data/tokenizer.hpp"

#include "core/error.hpp"

namespace polytrain {
namespace {

class ByteTokenizer final : public Tokenizer {
  public:
    std::string_view name() const override { return "bytes"; }
    int64_t vocab_size() const override { return 256; }
    std::string fingerprint() const override { return "bytes-1"; }
    std::optional<int32_t> separator() const override { return std::nullopt; }

    std::vector<int32_t> encode(std::string_view text) const override {
        std::vector<int32_t> ids(text.size());
        for (size_t i = 0; i < text.size(); ++i) ids[i] = static_cast<uint8_t>(text[i]);
        return ids;
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

std::unique_ptr<Tokenizer> make_tokenizer(std::string_view name) {
    if (name == "bytes") return std::make_unique<ByteTokenizer>();
    fail(ExitCode::kBadConfig, "there is no tokenizer \"{}\"; this version has: \"bytes\"", name);
}

}  // namespace polytrain
