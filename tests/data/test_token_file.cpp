#include <nlohmann/json.hpp>
#include <numeric>

#include "core/hash.hpp"
#include "core/strict_json.hpp"
#include "data/number_tokenizer.hpp"
#include "data/token_file.hpp"
#include "data/token_file_writer.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

void write_file(const fs::path& bin, const Tokenizer& tokenizer,
                const std::vector<std::vector<int32_t>>& documents) {
    TokenFileWriter writer(bin, tokenizer);
    for (const auto& ids : documents) {
        writer.begin_document();
        writer.append(ids);
    }
    writer.finish();
    writer.publish();
}

std::vector<int32_t> read_all(const TokenFile& file) {
    std::vector<int32_t> ids(static_cast<size_t>(file.tokens()));
    file.read(0, file.tokens(), ids.data());
    return ids;
}

// The fixture of most tests: two documents, five tokens, two bytes each.
struct SmallFile {
    TempFolder folder;
    fs::path bin = folder / "x.bin", side = folder / "x.json";
    SmallFile() { write_file(bin, *make_tokenizer("bytes"), {{1, 2, 3}, {254, 255}}); }
    Thrown open() const {
        return thrown_by([&] { TokenFile file(bin); });
    }
};

}  // namespace

TEST_CASE("a token file gives back what was written, in 2 or 4 bytes a token") {
    TempFolder folder;
    const int64_t vocab = GENERATE(256, 65536, 65537, 1 << 20);
    const auto last = static_cast<int32_t>(vocab - 1);
    const NumberTokenizer tokenizer(vocab);
    write_file(folder / "x.bin", tokenizer, {{0, last, 7}, {}, {9}});
    const TokenFile file(folder / "x.bin");
    CHECK(read_all(file) == std::vector<int32_t>{0, last, 7, 9});
    CHECK(fs::file_size(folder / "x.bin") == (vocab > 65536 ? 16 : 8));
    CHECK(file.info().documents == std::vector<int64_t>{0, 3, 3});
    CHECK(file.info().vocab_size == vocab);
    CHECK(file.info().tokenizer == "numbers");
    CHECK(file.info().separator == last);
    int32_t two[2];
    file.read(1, 2, two);
    CHECK(two[0] == last);
    CHECK(two[1] == 7);
    CHECK(thrown_by([&] { file.read(3, 2, two); }).code == ExitCode::kInternal);
}

TEST_CASE("chunks: sizes about 1 MiB come back, and damage names its chunk") {
    TempFolder folder;
    const int64_t tokens = kTokenChunkBytes / 2 + GENERATE(-1, 0, 1);
    std::vector<int32_t> ids(static_cast<size_t>(tokens));
    std::iota(ids.begin(), ids.end(), 0);
    for (int32_t& id : ids) id %= 251;
    write_file(folder / "x.bin", *make_tokenizer("bytes"), {ids});
    CHECK(read_all(TokenFile(folder / "x.bin")) == ids);
    const auto last = static_cast<size_t>(tokens * 2 - 1);
    flip_bit(folder / "x.bin", last, 0);
    const Thrown thrown = thrown_by([&] { TokenFile file(folder / "x.bin"); });
    CHECK(thrown.code == ExitCode::kCorrupt);
    CHECK(thrown.says(fmt::format("{}: bytes {} to {}", (folder / "x.bin").string(),
                                  last / kTokenChunkBytes * kTokenChunkBytes, last + 1)));
}

TEST_CASE("every flipped bit and every truncation of a token file or its side file is found") {
    SmallFile small;
    for (const fs::path& path : {small.bin, small.side}) {
        const std::string whole = slurp(path);
        int missed = 0;
        for (size_t byte = 0; byte < whole.size(); ++byte) {
            for (int bit = 0; bit < 8; ++bit) {
                flip_bit(path, byte, bit);
                const Thrown thrown = small.open();
                if (thrown.code != ExitCode::kCorrupt || !thrown.says(small.folder.path()))
                    ++missed;
                flip_bit(path, byte, bit);
            }
            spit(path, whole.substr(0, byte));
            if (small.open().code != ExitCode::kCorrupt) ++missed;
            spit(path, whole);
        }
        CHECK(missed == 0);
        spit(path, whole + whole[0]);
        CHECK(small.open().code == ExitCode::kCorrupt);
        spit(path, whole);
    }
    CHECK(small.open().code == ExitCode::kDone);
}

TEST_CASE("a missing half of a token file is named") {
    SmallFile small;
    const fs::path gone = GENERATE(true, false) ? small.bin : small.side;
    fs::remove(gone);
    CHECK(small.open().code == ExitCode::kInputMissing);
    CHECK(small.open().says(gone));
    const Thrown other = thrown_by([&] { TokenFile file(small.folder / "x.txt"); });
    CHECK(other.code == ExitCode::kBadConfig);
}

TEST_CASE("a side file that was sealed again is still checked against itself and the array") {
    SmallFile small;
    TokenFileInfo info = read_side_file(small.side);
    const auto refused = [&](const std::string& why) {
        spit(small.side, side_file_text(info));
        const Thrown thrown = small.open();
        INFO(thrown.message);
        CHECK(thrown.code == ExitCode::kCorrupt);
        CHECK(thrown.says(why));
    };
    SECTION("token count") {
        info.tokens = GENERATE(as<int64_t>{}, 4, 6, int64_t{1} << 62);
        refused("10 bytes, but");
    }
    SECTION("negative count") {
        info.tokens = -1;
        refused("\"tokens\"");
    }
    SECTION("documents out of order") {
        info.documents = {0, 4, 3};
        refused("\"documents\"");
    }
    SECTION("documents past the end") {
        info.documents = {0, 6};
        refused("\"documents\"");
    }
    SECTION("tokens before the first document") {
        info.documents = {1};
        refused("\"documents\"");
    }
    SECTION("no documents") {
        info.documents.clear();
        refused("\"documents\"");
    }
    SECTION("chunk count") {
        info.chunks.push_back(info.chunks[0]);
        refused("2 chunk hashes for 1 chunks");
    }
    SECTION("separator") {
        info.separator = 256;
        refused("\"separator\"");
    }
    SECTION("vocabulary") {
        info.vocab_size = GENERATE(as<int64_t>{}, 0, -5, int64_t{1} << 40);
        refused("\"vocab_size\"");
    }
    SECTION("an id outside the vocabulary") {
        info.vocab_size = 254;
        refused("x.bin: token 254 at byte 6 is outside the vocabulary of 254");
    }
}

TEST_CASE("a side file's integers are integers, and fit") {
    SmallFile small;
    const std::string whole = slurp(small.side);
    const auto refused = [&](const std::string& key, const nlohmann::json& value) {
        nlohmann::json side = nlohmann::json::parse(slurp(small.side));
        side.erase("seal");
        side[key] = value;
        spit(small.side, seal_json(side));
        INFO(key << " " << value);
        CHECK(small.open().code == ExitCode::kCorrupt);
        CHECK(small.open().says("x.json: "));
        CHECK(small.open().says(value.is_array() ? value.back().dump() : value.dump()));
    };
    for (const char* key : {"tokens", "vocab_size", "separator"})
        for (const nlohmann::json& value : {nlohmann::json(true), nlohmann::json(5.0),
                                            nlohmann::json("5"), nlohmann::json(UINT64_MAX)}) {
            refused(key, value);
            spit(small.side, whole);
        }
    refused("documents", {0, 2.5});
}

TEST_CASE("an unpublished writer leaves nothing, and the older file as it was") {
    SmallFile small;
    const std::string before = slurp(small.bin) + slurp(small.side);
    {
        TokenFileWriter writer(small.bin, *make_tokenizer("bytes"));
        writer.begin_document();
        writer.append(std::vector<int32_t>(1000, 7));
        if (GENERATE(true, false)) writer.finish();
    }
    CHECK(slurp(small.bin) + slurp(small.side) == before);
    CHECK(std::distance(fs::directory_iterator(small.folder.path()), {}) == 2);
}

TEST_CASE("a kill between the two renames never leaves a pair that reads as one") {
    SmallFile small;
    const std::string older = slurp(small.bin);
    write_file(small.bin, *make_tokenizer("bytes"), {{1, 2, 3, 4, 5}});
    spit(small.bin, older);
    CHECK(small.open().code == ExitCode::kCorrupt);
}

TEST_CASE("the fingerprint follows the tokens and the documents") {
    TempFolder folder;
    const auto fingerprint = [&](const std::vector<std::vector<int32_t>>& documents) {
        write_file(folder / "x.bin", *make_tokenizer("bytes"), documents);
        return TokenFile(folder / "x.bin").fingerprint();
    };
    const std::string one = fingerprint({{1, 2, 3}});
    CHECK(fingerprint({{1, 2, 3}}) == one);
    CHECK(fingerprint({{1, 2, 4}}) != one);
    CHECK(fingerprint({{1, 2}, {3}}) != one);
    CHECK(fingerprint({{1, 2, 3, 3}}) != one);
}

TEST_CASE("ids outside the tokenizer's vocabulary are not written") {
    TempFolder folder;
    TokenFileWriter writer(folder / "x.bin", *make_tokenizer("bytes"));
    writer.begin_document();
    CHECK(thrown_by([&] { writer.append(std::vector{256}); }).code == ExitCode::kInternal);
    CHECK(thrown_by([&] { writer.append(std::vector{-1}); }).code == ExitCode::kInternal);
}
