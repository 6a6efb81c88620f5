// Usage: make_seeds FOLDER: writes FOLDER/TARGET/NAME, small valid inputs for each fuzz target.

#include <cstdio>
#include <filesystem>

#include "core/file.hpp"
#include "core/hash.hpp"
#include "data/foreign_files.hpp"
#include "data/token_file_info.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

void seed(const std::filesystem::path& folder, const std::string& target, int number,
          const std::string& input) {
    make_folders(folder / target);
    write_file_atomic(folder / target / ("seed-" + std::to_string(number)), input);
}

std::string index_of(uint8_t code, const std::vector<int32_t>& sizes,
                     const std::vector<int64_t>& documents = {}) {
    int64_t bin_bytes = 0;
    for (const int32_t size : sizes) bin_bytes += int64_t{size} * (code == 8 ? 2 : 4);
    return megatron_index(code, sizes, documents) + packed<int64_t>(std::vector{bin_bytes});
}

std::string side_file(int64_t vocab_size, int64_t tokens, const std::vector<int64_t>& documents) {
    TokenFileInfo info;
    info.tokenizer = "bytes";
    info.tokenizer_fingerprint = "bytes-1";
    info.vocab_size = vocab_size;
    info.tokens = tokens;
    info.documents = documents;
    if (vocab_size > 256) info.separator = 256;
    if (tokens > 0) info.chunks = {content_hash("ids")};
    return side_file_text(info);
}

// One of each component, so that the fuzzer has all their words.
std::string tokenizer_file(const std::string& normalizer, const std::string& pre_tokenizer,
                           const std::string& decoder, const std::string& model,
                           const std::string& text) {
    return R"({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [)"
           R"({"id": 9, "content": "</s>", "single_word": false, "lstrip": true, "rstrip": false, )"
           R"("normalized": false, "special": true}, {"id": 10, "content": "  ", )"
           R"("normalized": true, "rstrip": true}], "normalizer": )" +
           normalizer + ", \"pre_tokenizer\": " + pre_tokenizer + ", \"post_processor\": null, " +
           "\"decoder\": " + decoder + ", \"model\": {\"type\": \"BPE\", " + model +
           R"("vocab": {"a": 0, "b": 1, "ab": 2, "\u2581": 3, "\u2581a": 4, "<unk>": 5, )"
           R"("<0x0A>": 6, "\u0120": 7, "abab": 8}, "merges": ["a b", ["\u2581", "a"], )"
           R"(["ab", "ab"]]}})" +
           '\0' + text;
}

void seed_tokenizers(const std::filesystem::path& folder) {
    const std::string text = "ab abab\n  a\xe2\x96\x81 b</s>\xff e\xcc\x81 \xc2\x85";
    const std::string target = "tokenizer_json";
    seed(folder, target, 1,
         tokenizer_file(R"({"type": "NFC"})", R"({"type": "ByteLevel", "add_prefix_space": true})",
                        R"({"type": "ByteLevel"})", R"("ignore_merges": true, )", text));
    seed(
        folder, target, 2,
        tokenizer_file(R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": )"
                       R"("\u2581"}, {"type": "Replace", "pattern": {"String": " "}, )"
                       R"("content": "\u2581"}]})",
                       "null",
                       R"({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": )"
                       R"({"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, )"
                       R"({"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, )"
                       R"("stop": 0}]})",
                       R"("unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, )", text));
    int number = 3;
    for (const char* behavior :
         {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"}) {
        seed(
            folder, target, number,
            tokenizer_file("null",
                           R"({"type": "Sequence", "pretokenizers": [{"type": "Split", )"
                           R"("pattern": {"Regex": "\\s+(?!\\S)|[^\\w]|\\p{L}{1,3}"}, "invert": )" +
                               std::string(number % 2 == 0 ? "true" : "false") +
                               R"(, "behavior": ")" + behavior +
                               R"("}, {"type": "Metaspace", "replacement": "\u2581", )"
                               R"("prepend_scheme": "first", "split": true}]})",
                           R"({"type": "Metaspace", "replacement": "\u2581"})", "", text));
        ++number;
    }
}

void seed_lines(const std::filesystem::path& folder) {
    seed(folder, "jsonl", 1,
         R"({"text": "a \u00e9 \ud83d\ude00 \n", "id": -1.5e+3, "x": [true, false, null, {}]})"
         "\n");
    seed(folder, "jsonl", 2,
         "{\"id\": {\"text\": 1}, \"text\": \"\"}\r\n\n{\"text\": \"\\ud800\"}");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: make_seeds FOLDER\n", stderr);
        return 2;
    }
    const std::filesystem::path folder = argv[1];
    seed_tokenizers(folder);
    seed_lines(folder);
    seed(folder, "megatron_index", 1, index_of(8, {}));
    seed(folder, "megatron_index", 2, index_of(8, {4, 3, 2, 1}));
    seed(folder, "megatron_index", 3, index_of(4, {70000, 0, 5}));
    seed(folder, "megatron_index", 4, index_of(4, {1, 2, 3, 4}, {0, 3, 4}));
    seed(folder, "side_file", 1, side_file(256, 0, {}));
    seed(folder, "side_file", 2, side_file(256, 5, {0, 3}));
    seed(folder, "side_file", 3, side_file(100278, 9, {0, 0, 4, 9}));
}
