#include "data/tokenizer/characters.hpp"

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/strict_json.hpp"
#include "core/utf8.hpp"

namespace polytrain {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 26;

// Calls on_character(code, bytes) or on_bad_byte(byte) along a document in parts; `cut` carries the
// start of a character over.
template <class OnCharacter, class OnBadByte>
void walk(std::string& cut, std::string_view part, bool last, OnCharacter&& on_character,
          OnBadByte&& on_bad_byte) {
    std::string joined;
    if (!cut.empty()) {
        joined = std::move(cut) + std::string(part);
        cut.clear();
        part = joined;
    }
    while (!part.empty()) {
        const Utf8Character c = decode_utf8(part);
        if (c.bytes > 0) {
            on_character(c.code);
            part.remove_prefix(c.bytes);
        } else if (!last && is_cut_utf8(part)) {
            cut = part;
            return;
        } else {
            on_bad_byte(static_cast<unsigned char>(part[0]));
            part.remove_prefix(1);
        }
    }
}

class CharacterTokenizer final : public Tokenizer {
  public:
    explicit CharacterTokenizer(std::vector<char32_t> characters)
        : characters_(std::move(characters)) {
        for (size_t i = 0; i < characters_.size(); ++i)
            ids_[characters_[i]] = static_cast<int32_t>(i);
    }

    std::string_view name() const override { return "chars"; }
    int64_t vocab_size() const override { return static_cast<int64_t>(characters_.size()); }
    std::string fingerprint() const override { return "chars-1 " + content_hash(file_text()); }
    std::optional<int32_t> separator() const override { return std::nullopt; }
    std::string file_text() const override {
        std::string text;
        for (const char32_t code : characters_) append_utf8(text, code);
        return seal_json({{"format", kCharactersFormat}, {"version", 1}, {"characters", text}});
    }
    std::unique_ptr<Encoder> make_encoder() const override {
        return std::make_unique<CharacterEncoder>(*this);
    }
    std::string decode(std::span<const int32_t> ids) const override {
        std::string text;
        for (const int32_t id : ids) {
            PT_CHECK(0 <= id && id < vocab_size(), "token {} of a vocabulary of {}", id,
                     vocab_size());
            append_utf8(text, characters_[static_cast<size_t>(id)]);
        }
        return text;
    }

  private:
    class CharacterEncoder final : public Encoder {
      public:
        explicit CharacterEncoder(const CharacterTokenizer& tokenizer) : tokenizer_(tokenizer) {}
        void encode(std::string_view part, bool last, std::vector<int32_t>& ids) override {
            walk(
                cut_, part, last,
                [&](char32_t code) {
                    const auto found = tokenizer_.ids_.find(code);
                    if (found == tokenizer_.ids_.end())
                        ++report_.dropped;
                    else
                        ids.push_back(found->second);
                },
                [&](unsigned char) {
                    ++report_.invalid_bytes;
                    ++report_.dropped;
                });
        }

      private:
        const CharacterTokenizer& tokenizer_;
        std::string cut_;
    };

    std::vector<char32_t> characters_;
    std::unordered_map<char32_t, int32_t> ids_;
};

}  // namespace

void CharacterSet::add(std::string_view part, bool last) {
    walk(
        cut_, part, last, [&](char32_t code) { characters_.insert(code); }, [](unsigned char) {});
}

std::unique_ptr<Tokenizer> CharacterSet::tokenizer() const {
    if (characters_.empty())
        fail(ExitCode::kCorrupt, "the text has no character to make a vocabulary of");
    return std::make_unique<CharacterTokenizer>(
        std::vector<char32_t>(characters_.begin(), characters_.end()));
}

std::unique_ptr<Tokenizer> make_character_tokenizer(const std::string& path) {
    const json file = read_sealed_json(path, kMaxFileBytes);
    if (file.value("version", json()) != 1 || !file.contains("characters") ||
        !file["characters"].is_string())
        fail(ExitCode::kCorrupt, "{}: is not a character tokenizer of version 1", path);
    std::set<char32_t> characters;
    std::string cut;
    walk(
        cut, file["characters"].get_ref<const std::string&>(), true,
        [&](char32_t code) { characters.insert(code); }, [](unsigned char) {});
    if (characters.empty()) fail(ExitCode::kCorrupt, "{}: has no characters", path);
    return std::make_unique<CharacterTokenizer>(
        std::vector<char32_t>(characters.begin(), characters.end()));
}

}  // namespace polytrain
