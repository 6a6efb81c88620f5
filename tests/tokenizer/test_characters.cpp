#include "core/file.hpp"
#include "data/tokenizer/characters.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"
#include "tokenizer/parts.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

std::unique_ptr<Tokenizer> characters_of(std::string_view text) {
    CharacterSet characters;
    characters.add(text, true);
    return characters.tokenizer();
}

}  // namespace

TEST_CASE("a character's id is its rank among the text's characters") {
    const std::string text = "b\xc3\xa9 a\n\xf0\x9f\x98\x80";
    const auto tokenizer = characters_of(text);
    CHECK(tokenizer->vocab_size() == 6);
    CHECK(tokenizer->name() == "chars");
    CHECK(tokenizer->encode(text) == std::vector<int32_t>{3, 4, 1, 2, 0, 5});
    CHECK(tokenizer->decode(tokenizer->encode(text)) == text);
    CHECK(!tokenizer->separator());
    CHECK(thrown_by([&] { tokenizer->decode(std::vector{6}); }).code == ExitCode::kInternal);
}

TEST_CASE("characters don't depend on where a text is cut; others are counted") {
    Random random("characters in parts");
    const std::string text = "caf\xc3\xa9 \xe2\x96\x81 \xf0\x9f\x98\x80 caf\xc3\xa9";
    for (int round = 0; round < 30; ++round) {
        CharacterSet characters;
        const auto cut = static_cast<size_t>(random.integer(0, std::ssize(text)));
        characters.add(std::string_view(text).substr(0, cut), false);
        characters.add(std::string_view(text).substr(cut), true);
        CHECK(characters.tokenizer()->fingerprint() == characters_of(text)->fingerprint());
        CHECK(encode_in_parts(*characters.tokenizer(), text, random) ==
              characters_of(text)->encode(text));
    }
    const auto tokenizer = characters_of("ab");
    const auto other = tokenizer->make_encoder();
    std::vector<int32_t> ids;
    other->encode("axb\xff", true, ids);
    CHECK(ids == std::vector<int32_t>{0, 1});
    CHECK(other->report().dropped == 2);
    CHECK(other->report().invalid_bytes == 1);
}

TEST_CASE("a character tokenizer is read back from its file, unless that was changed") {
    const TempFolder folder;
    const auto tokenizer = characters_of("\"\\\n\x01 caf\xc3\xa9");
    const std::string path = (folder / "tokenizer.json").string();
    const std::string text = tokenizer->file_text();
    write_file_atomic(path, text);
    CHECK(make_tokenizer(path)->fingerprint() == tokenizer->fingerprint());
    CHECK(make_tokenizer(path)->file_text() == text);
    for (size_t i = 0; i < text.size(); ++i) {
        std::string changed = text;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        write_file_atomic(path, changed);
        CAPTURE(i);
        const ExitCode code = thrown_by([&] { make_tokenizer(path); }).code;
        // Where "format" is hit, it is taken for a tokenizer.json, and isn't one.
        CHECK((code == ExitCode::kCorrupt || code == ExitCode::kBadConfig));
    }
    CHECK(thrown_by([] { CharacterSet().tokenizer(); }).code == ExitCode::kCorrupt);
    CHECK(thrown_by([] { make_tokenizer("chars"); }).says("prepare --tokenizer chars"));
}
