#include "data/tokenizer.hpp"

#include <filesystem>

#include "core/error.hpp"
#include "core/file.hpp"
#include "data/tokenizer/bpe_tokenizer.hpp"
#include "data/tokenizer/characters.hpp"

namespace polytrain {
namespace {

constexpr uint64_t kMaxTokenizerBytes = uint64_t{1} << 28;

class ByteEncoder final : public Encoder {
  public:
    void encode(std::string_view part, bool, std::vector<int32_t>& ids) override {
        const auto* bytes = reinterpret_cast<const uint8_t*>(part.data());
        ids.insert(ids.end(), bytes, bytes + part.size());
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
    if (name == "chars")
        fail(ExitCode::kBadConfig,
             "the tokenizer \"chars\" takes its vocabulary from a text: name the tokenizer.json "
             "that "
             "`polytrain prepare --tokenizer chars` wrote beside the token files");
    std::error_code ignored;
    if (!std::filesystem::exists(name, ignored))
        fail(ExitCode::kBadConfig,
             "there is no tokenizer \"{}\": neither \"bytes\" nor a file of this name", name);
    std::string text = read_file(name, kMaxTokenizerBytes);
    if (text.find(fmt::format("\"format\": \"{}\"", kCharactersFormat)) != std::string::npos)
        return make_character_tokenizer(name);
    return make_bpe_tokenizer(std::move(text), name);
}

}  // namespace polytrain
