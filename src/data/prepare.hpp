#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/prepare/journal.hpp"
#include "data/tokenizer.hpp"

namespace polytrain {

// How far a prepare is; bytes and time of before an interruption are in `resumed_*`.
struct PrepareProgress {
    int64_t file_bytes = 0, resumed_file_bytes = 0, total_file_bytes = 0;  // as on the disk
    int64_t text_bytes = 0, resumed_text_bytes = 0;                        // decompressed
    int64_t tokens = 0;
    double seconds = 0;  // of this process
};

struct PrepareOptions {
    std::vector<std::filesystem::path> inputs;  // files and folders: see text_inputs.hpp
    std::filesystem::path out;                  // the folder of train.bin and validation.bin
    double validation = 0.05;                   // the held-out fraction, in [0, 1)
    std::string field = "text";                 // of JSON lines
    int threads = 1;
    double journal_seconds = 5;  // how often the place is kept to which a kill sets back
    // Called between rounds of work, every few hundredths of a second.
    std::function<void(const PrepareProgress&)> on_progress = {};
};

struct PrepareResult {
    int64_t train_documents = 0, train_tokens = 0;
    int64_t validation_documents = 0, validation_tokens = 0;
    PrepareCounts counts;  // of all documents
    double seconds = 0;    // of this process
};

// Tokenizes the documents of the inputs into out/train.bin and out/validation.bin with their side
// files, and writes out/tokenizer.json where the tokenizer needs a file. The last documents are
// held out, at least one; of a single document, the last part of its text, cut between two UTF-8
// characters. With `validation` 0 there is only train.bin. The same inputs give the same bytes,
// whatever the number of threads. Memory is bounded, but for some tens of bytes a document at the
// end, when the side files are written.
//
// Until all is done it is in out/prepare.partial, and a killed prepare goes on from there when
// called again with the same inputs and options; the result is the same. Then earlier results in
// `out` are replaced; files of these names that are anything else are left alone: exit 73.
//
// Missing inputs: exit 66; damaged, without any text or too short to split: exit 65; of another
// kind or given twice, or bad options: exit 2.
PrepareResult prepare(const PrepareOptions& options, const Tokenizer& tokenizer);

// Calls use(part, last) for the parts of all documents, in order.
void for_each_part(const std::vector<std::filesystem::path>& inputs, const std::string& field,
                   const std::function<void(std::string_view part, bool last)>& use);

}  // namespace polytrain
