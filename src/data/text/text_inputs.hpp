#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/text/decompressor.hpp"

namespace polytrain {

enum class TextFormat {
    kPlain,  // .txt: the file is one document
    kJsonl,  // .jsonl, .json, .ndjson: each line is an object, a field of which is a document
};

// A file of documents, as it was when it was found.
struct TextInput {
    std::filesystem::path path;
    TextFormat format = TextFormat::kPlain;
    Compression compression = Compression::kNone;  // .gz, .zst, .bz2 after the other extension
    int64_t bytes = 0;
    int64_t modified_ns = 0;
};

struct TextInputs {
    std::vector<TextInput> files;  // in the order in which they are read
    int64_t skipped = 0;           // files in folders that have another extension
};

// Whether this is a folder or has an extension from above.
bool is_text_input(const std::filesystem::path& path);

// The files at `paths`: each itself, or for a folder all in it and below that have an extension
// from above, in the byte order of their paths. Missing, or a folder with none: exit 66; a file of
// another extension, one found twice, or no path at all: exit 2.
TextInputs find_text_inputs(const std::vector<std::filesystem::path>& paths);

// A file that isn't as it was when it was found: exit 65.
void check_unchanged(const std::vector<TextInput>& files);

}  // namespace polytrain
