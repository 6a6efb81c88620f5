// Token files of other programs: what is read, and that nothing changed or cut gets through.

#include <functional>

#include "data/foreign_files.hpp"
#include "data/formats/headerless.hpp"
#include "data/formats/llmc.hpp"
#include "data/formats/megatron.hpp"
#include "data/formats/open.hpp"
#include "data/number_tokenizer.hpp"
#include "data/token_file_writer.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

const std::vector<int32_t> kIds{5, 0, 7, 49999, 1, 2, 49999, 3, 49999, 49999};
constexpr int64_t kVocab = 50000;

std::span<const std::byte> bytes_of_text(const std::string& text) {
    return std::as_bytes(std::span(text));
}

std::vector<int32_t> read_all(const TokenSource& source) {
    std::vector<int32_t> ids(static_cast<size_t>(source.tokens()));
    source.read(0, source.tokens(), ids.data());
    return ids;
}

struct Fixture {
    TempFolder folder;

    std::string file(const std::string& name, const std::string& bytes) const {
        spit(folder / name, bytes);
        return folder / name;
    }
    // kIds as four documents of Megatron's.
    void megatron(const std::string& name, uint8_t code = 8) const {
        file(name + ".idx", megatron_index(code, {4, 3, 2, 1}));
        file(name + ".bin", code == 8 ? packed<uint16_t>(kIds) : packed<int32_t>(kIds));
    }
    static OpenedTokens open(const std::string& path, const std::string& format = "auto",
                             const std::string& dtype = "auto", int64_t vocab_size = kVocab) {
        return open_tokens({path, 1, format, dtype}, DataTokenizer("bytes"), vocab_size);
    }
    static Thrown refused(const std::string& path, const std::string& format = "auto",
                          const std::string& dtype = "auto", int64_t vocab_size = kVocab) {
        return thrown_by([&] { open(path, format, dtype, vocab_size); });
    }
};

// Other values of every byte in [begin, end), each bit flipped among them, must make `parse` refuse
// with exit 65, name and byte.
int missed_changes(const std::string& whole, size_t begin, size_t end,
                   const std::function<void(const std::string&)>& parse) {
    int missed = 0;
    for (size_t byte = begin; byte < end; ++byte) {
        const int was = static_cast<uint8_t>(whole[byte]);
        std::vector<int> values{0, 255, was + 1, was - 1, 255 - was};
        for (int bit = 0; bit < 8; ++bit) values.push_back(was ^ (1 << bit));
        for (const int value : values) {
            std::string changed = whole;
            changed[byte] = static_cast<char>(value);
            if (changed == whole) continue;
            const Thrown thrown = thrown_by([&] { parse(changed); });
            if (thrown.code != ExitCode::kCorrupt || !thrown.says("NAME: at byte ")) ++missed;
        }
    }
    return missed;
}

// So must every truncation, and some bytes too many.
int missed_lengths(const std::string& whole, const std::function<void(const std::string&)>& parse) {
    int missed = 0;
    const auto try_one = [&](const std::string& text) {
        const Thrown thrown = thrown_by([&] { parse(text); });
        if (thrown.code != ExitCode::kCorrupt || !thrown.says("NAME: at byte ")) ++missed;
    };
    for (size_t size = 0; size < whole.size(); ++size) try_one(whole.substr(0, size));
    for (size_t more = 1; more < 40; ++more) try_one(whole + std::string(more, '\0'));
    return missed;
}

}  // namespace

TEST_CASE_METHOD(Fixture, "every format gives the ids back, told by its looks or by name") {
    megatron("m");
    megatron("wide", 4);
    const std::string npy = file("o.npy", packed<uint16_t>(kIds));
    const std::string npy4 = file("o4.npy", packed<uint32_t>(kIds));
    const std::string llmc = file("l.bin", llmc_shard(kIds, false));
    const std::string llama = file("l4.bin", llmc_shard(kIds, true));
    const std::string raw = file("raw.bin", packed<uint16_t>(kIds));
    const std::string m = folder / "m";
    for (const char* format : {"auto", "megatron"})
        for (const std::string& path :
             std::vector<std::string>{m, m + ".bin", m + ".idx", (folder / "wide.bin").string()})
            CHECK(read_all(*open(path, format).tokens) == kIds);
    for (const char* format : {"auto", "npy"}) {
        CHECK(read_all(*open(npy, format).tokens) == kIds);
        CHECK(read_all(*open(npy4, format, "uint32").tokens) == kIds);
        CHECK(read_all(*open(npy4, format, "auto", 65537).tokens) == kIds);
        CHECK(read_all(*open(npy, format, "uint16", 65537).tokens) == kIds);
    }
    for (const char* format : {"auto", "llmc"})
        for (const std::string& path : {llmc, llama})
            CHECK(read_all(*open(path, format).tokens) == kIds);
    CHECK(read_all(*open(raw, "raw").tokens) == kIds);
    int32_t two[2];
    open(llmc).tokens->read(3, 2, two);
    CHECK(two[0] == 49999);
    CHECK(two[1] == 1);
    CHECK_FALSE(open(m).tokenizer_known);

    TokenFileWriter writer(folder / "own.bin", *make_tokenizer("bytes"));
    writer.begin_document();
    writer.append(std::vector<int32_t>{1, 2});
    writer.finish();
    writer.publish();
    for (const char* format : {"auto", "polytrain"}) {
        const OpenedTokens own = open(folder / "own.bin", format);
        CHECK(own.tokenizer_known);
        CHECK(read_all(*own.tokens) == std::vector<int32_t>{1, 2});
    }
}

TEST_CASE_METHOD(Fixture, "Megatron: every change of the index is refused with its byte") {
    // Sequences of no tokens are legal; they are in the middle here, where they hide most.
    const uint8_t code = GENERATE(8, 4);
    const std::string index = megatron_index(code, {4, 0, 3, 0, 1, 2});
    const int64_t bin_bytes = code == 8 ? 20 : 40;
    const auto parse = [&](const std::string& text) {
        const MegatronIndex parsed = parse_megatron_index(bytes_of_text(text), bin_bytes, "NAME");
        CHECK((parsed.sequences == 6 && parsed.documents == 6 && parsed.tokens == 10));
    };
    parse(index);
    CHECK(missed_changes(index, 0, index.size(), parse) == 0);
    CHECK(missed_lengths(index, parse) == 0);
    for (int64_t other = 0; other < 60; ++other)
        if (other != bin_bytes)
            CHECK(thrown_by([&] {
                      parse_megatron_index(bytes_of_text(index), other, "NAME");
                  }).code == ExitCode::kCorrupt);
}

TEST_CASE_METHOD(Fixture, "Megatron: the message names file, byte and numbers") {
    megatron("m");
    const std::string whole = slurp(folder / "m.idx");
    const auto refused_with = [&](size_t at, const std::string& field, const std::string& why) {
        std::string changed = whole;
        put(changed, at, field);
        file("m.idx", changed);
        const Thrown thrown = refused(folder / "m.bin");
        INFO(thrown.message);
        CHECK(thrown.code == ExitCode::kCorrupt);
        CHECK(thrown.says(fmt::format("{}: at byte {}: {}", (folder / "m.idx").string(), at, why)));
    };
    refused_with(2, "J", "not a Megatron index");
    refused_with(9, "\2", "version 2; wants version 1");
    refused_with(17, "\3", "dtype code 3");  // int16: the same width
    refused_with(17, "\7", "dtype code 7");  // float32
    refused_with(18, "\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615 sequences");
    refused_with(18, packed<uint64_t>(std::vector{(uint64_t{1} << 62) + 4}),  // 12 times it is 48
                 "4611686018427387908 sequences don't fit");
    refused_with(18, "\5", "5 sequences and 5 document entries make 134 bytes, but the file has");
    refused_with(26, std::string(8, '\0'), "0 entries");
    refused_with(26, "\xff\xff\xff\xff\xff\xff\xff\x7f", "9223372036854775807 entries");
    refused_with(34, "\xff\xff\xff\xff", "sequence 0 of size -1");
    refused_with(34, "\xff\xff\xff\x7f", "sequence 0 of 2147483647 tokens ends at byte 4294967294");
    refused_with(58, "\x0a", "sequence 1 starts at byte 10, but the sizes before it make 8");
    refused_with(82, "\1", "the first document starts at sequence 1");
    refused_with(98, "\1", "document entry 2 is 1, which doesn't follow 1");
    refused_with(114, "\5", "the document index ends at sequence 5 of 4");
    file("m.idx", whole);
    CHECK(read_all(*open(folder / "m.bin").tokens) == kIds);
    // Documents of several sequences (sentence-split data), and no documents at all.
    file("m.idx", megatron_index(8, {4, 3, 2, 1}, {0, 3, 4}));
    CHECK(read_all(*open(folder / "m.bin").tokens) == kIds);
    file("e.idx", megatron_index(8, {}));
    file("e.bin", "");
    CHECK(open(folder / "e.bin").tokens->tokens() == 0);
}

TEST_CASE_METHOD(Fixture, "Megatron: both files are needed, and whole") {
    megatron("m");
    const std::string bin = slurp(folder / "m.bin");
    for (const std::string& other : {bin + "x", bin + "xx", bin.substr(1), bin.substr(2)}) {
        file("m.bin", other);
        CHECK(refused(folder / "m.bin").code == ExitCode::kCorrupt);
    }
    fs::remove(folder / "m.bin");
    CHECK(refused(folder / "m.idx").code == ExitCode::kInputMissing);
    CHECK(refused(folder / "m.idx").says("m.bin"));
    CHECK(refused(folder / "none", "megatron").code == ExitCode::kInputMissing);
    CHECK(refused(folder / "none", "megatron").says("none.idx"));
}

TEST_CASE_METHOD(Fixture,
                 "llm.c: every change of the header, truncation and extension is refused") {
    const bool llama = GENERATE(false, true);
    const std::string shard = llmc_shard(kIds, llama);
    const auto parse = [&](const std::string& text) {
        const LlmcHeader header = parse_llmc(bytes_of_text(text), "NAME");
        CHECK(header.tokens == 10);
    };
    parse(shard);
    CHECK(missed_changes(shard, 0, kLlmcHeaderBytes, parse) == 0);
    CHECK(missed_lengths(shard, parse) == 0);
    std::string evaluation = shard;
    put(evaluation, 0, packed<int32_t>(std::vector{20240522}));
    CHECK(refused(file("e.bin", evaluation)).code == ExitCode::kCorrupt);
    CHECK(refused(file("e.bin", evaluation)).says("evaluation file"));
    std::string reserved = shard;
    put(reserved, 1016, packed<int32_t>(std::vector{9}));
    CHECK(refused(file("r.bin", reserved)).says("at byte 1016: header word 254 is 9"));
}

TEST_CASE_METHOD(Fixture,
                 "headerless: part of an id, a numpy file and the wrong width are refused") {
    const std::string whole = packed<uint16_t>(kIds);
    CHECK(
        refused(file("a.npy", whole + "x")).says("a.npy: at byte 20: the file ends within an id"));
    CHECK(refused(file("a.npy", packed<uint32_t>(kIds) + "xy"), "npy", "uint32")
              .says("at byte 40: the file ends within an id"));
    CHECK(refused(file("a.npy", "\x93NUMPY\x01")).says("a.npy: at byte 0: a numpy file"));
    const std::vector<int32_t> many(100, 300);
    const Thrown wide = refused(file("a.npy", packed<uint32_t>(many)));
    CHECK(wide.code == ExitCode::kCorrupt);
    CHECK(wide.says("uint32"));
    CHECK(open(file("a.npy", packed<uint32_t>(many)), "auto", "uint32").tokens->tokens() == 100);
    CHECK(open(file("a.npy", std::string(1000, '\0'))).tokens->tokens() == 500);
    CHECK(read_all(*open(file("a.npy", packed<uint16_t>(many))).tokens) == many);
}

TEST_CASE_METHOD(Fixture, "an id outside the model's vocabulary is refused with file and byte") {
    std::vector<int32_t> ids(kTokenChunkBytes / 2 + 3, 7);  // the last ids are in a second chunk
    ids[ids.size() - 2] = 300;
    const size_t at = 2 * (ids.size() - 2);
    const auto check = [&](const std::string& path, size_t byte, const std::string& format) {
        const Thrown thrown = refused(path, format, "auto", 300);
        CHECK(thrown.code == ExitCode::kCorrupt);
        CHECK(thrown.says(
            fmt::format(": token 300 at byte {} is outside the vocabulary of 300", byte)));
        CHECK(open(path, format, "auto", 301).tokens->tokens() == static_cast<int64_t>(ids.size()));
    };
    check(file("a.npy", packed<uint16_t>(ids)), at, "npy");
    check(file("l.bin", llmc_shard(ids, false)), 1024 + at, "llmc");
    file("m.idx", megatron_index(8, {static_cast<int32_t>(ids.size())}));
    check(file("m.bin", packed<uint16_t>(ids)), at, "megatron");
    // A negative int32 is outside too, as the negative number it is.
    file("n.idx", megatron_index(4, {2}));
    file("n.bin", packed<int32_t>(std::vector{0, -2}));
    CHECK(refused(folder / "n.bin").says("n.bin: token -2 at byte 4 is outside"));
    file("u.npy", packed<uint32_t>(std::vector{1, -2}));
    CHECK(refused(folder / "u.npy", "npy", "uint32").says("token 4294967294 at byte 4"));
}

TEST_CASE_METHOD(Fixture, "a format that can't be told, or is told wrongly, says what to do") {
    const std::string raw = file("raw.bin", packed<uint16_t>(kIds));
    const Thrown thrown = refused(raw);
    CHECK(thrown.code == ExitCode::kBadConfig);
    for (const char* said : {"raw.idx", ".json", ".npy", "llm.c", "\"format\"", "\"raw\""})
        CHECK(thrown.says(said));
    CHECK(refused(file("x.txt", "ab")).code == ExitCode::kBadConfig);
    CHECK(refused(file("empty.bin", "")).code == ExitCode::kBadConfig);
    CHECK(refused(raw, "llmc").says("the file ends within an llm.c header"));
    CHECK(refused(raw, "megatron").code == ExitCode::kInputMissing);
    CHECK(refused(raw, "polytrain").code == ExitCode::kInputMissing);
    CHECK(refused(raw, "parquet").code == ExitCode::kBadConfig);
    CHECK(refused(folder / "none.bin").code == ExitCode::kInputMissing);
    CHECK(refused(folder / "none.npy").code == ExitCode::kInputMissing);
    const std::string shard = file("l.bin", llmc_shard(kIds, false));
    CHECK(refused(shard, "auto", "uint16").code == ExitCode::kBadConfig);
    CHECK(refused(shard, "auto", "uint16").says("says its own"));
}

TEST_CASE_METHOD(Fixture, "the fingerprint follows every id, the width and Megatron's index") {
    const auto of = [&](const std::string& path, const std::string& dtype = "auto") {
        return open(path, "auto", dtype).tokens->fingerprint();
    };
    const std::string base = of(file("a.npy", packed<uint16_t>(kIds)));
    CHECK(of(file("b.npy", packed<uint16_t>(kIds))) == base);
    for (size_t i = 0; i < kIds.size(); ++i) {
        std::vector<int32_t> other = kIds;
        other[i] ^= 1;
        CHECK(of(file("b.npy", packed<uint16_t>(other))) != base);
    }
    CHECK(of(file("b.npy", packed<uint32_t>(kIds)), "uint32") != base);
    megatron("m");
    const std::string indexed = of(folder / "m.bin");
    file("m.idx", megatron_index(8, {5, 2, 2, 1}));
    CHECK(of(folder / "m.bin") != indexed);
}

TEST_CASE("a real Megatron file reads as its makers say") {
    const std::string folder = POLYTRAIN_SOURCE_DIR "/../shared/formats/megatron/";
    const std::string path = folder + "meg-gpt2-openwebtext_text_document.bin";
    if (!fs::exists(path)) {
        WARN("skipped: there is no " << path);
        return;
    }
    const OpenedTokens opened = open_tokens({path}, DataTokenizer("bytes"), 5000);
    const std::vector<int32_t> ids = read_all(*opened.tokens);
    CHECK(ids.size() == 1361845);
    CHECK(*std::max_element(ids.begin(), ids.end()) == 4999);
    CHECK(*std::min_element(ids.begin(), ids.end()) == 0);
    CHECK(std::count(ids.begin(), ids.end(), 4999) == 1000);
    CHECK(ids.back() == 4999);
    const std::string idx = slurp(megatron_index_of(path));
    const auto size = static_cast<int64_t>(fs::file_size(path));
    const MegatronIndex index = parse_megatron_index(bytes_of_text(idx), size, path);
    CHECK((index.sequences == 1000 && index.documents == 1000 && index.tokens == 1361845));
    CHECK(thrown_by([&] { open_tokens({path}, DataTokenizer("bytes"), 4999); }).code ==
          ExitCode::kCorrupt);
}
