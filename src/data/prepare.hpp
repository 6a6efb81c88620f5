#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/tokenizer.hpp"

namespace polytrain {

struct PrepareOptions {
    std::vector<std::filesystem::path> inputs;  // .txt files, each one document
    std::filesystem::path out;                  // the folder of train.bin and validation.bin
    double validation = 0.05;                   // the held-out fraction, in [0, 1)
};

struct PrepareResult {
    int64_t train_documents = 0, train_tokens = 0;
    int64_t validation_documents = 0, validation_tokens = 0;
};

// Tokenizes the inputs into out/train.bin and out/validation.bin with their side files. The last
// documents are held out, at least one; of a single document, the last part of its text, cut
// between two UTF-8 characters. With `validation` 0 there is only train.bin. The same inputs give
// the same bytes. Earlier results in `out` are replaced, in one go at the end; files of these names
// that are anything else are left alone: exit 73.
//
// A missing input: exit 66; empty or too short to split: exit 65; a folder, another kind of file,
// one given twice, or a bad fraction: exit 2.
PrepareResult prepare(const PrepareOptions& options, const Tokenizer& tokenizer);

}  // namespace polytrain
