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

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: make_seeds FOLDER\n", stderr);
        return 2;
    }
    const std::filesystem::path folder = argv[1];
    seed(folder, "megatron_index", 1, index_of(8, {}));
    seed(folder, "megatron_index", 2, index_of(8, {4, 3, 2, 1}));
    seed(folder, "megatron_index", 3, index_of(4, {70000, 0, 5}));
    seed(folder, "megatron_index", 4, index_of(4, {1, 2, 3, 4}, {0, 3, 4}));
    seed(folder, "side_file", 1, side_file(256, 0, {}));
    seed(folder, "side_file", 2, side_file(256, 5, {0, 3}));
    seed(folder, "side_file", 3, side_file(100278, 9, {0, 0, 4, 9}));
}
