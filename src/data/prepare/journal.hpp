#pragma once
// How far a prepare has come, so that after a kill the same command goes on instead of anew.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/text/document_reader.hpp"
#include "data/tokenizer.hpp"

namespace polytrain {

// All that decides a prepare's output.
struct PrepareSettings {
    std::string inputs;  // a hash of their paths, sizes and times of change
    std::string tokenizer;
    std::string field;  // a hash of its name
    double validation = 0;

    bool operator==(const PrepareSettings&) const = default;
};

PrepareSettings prepare_settings(const std::vector<TextInput>& inputs, const Tokenizer& tokenizer,
                                 const std::string& field, double validation);
// What of them is another ("the inputs"), for messages.
std::string changed_settings(const PrepareSettings& before, const PrepareSettings& now);

// Counts of what was read and encoded.
struct PrepareCounts {
    int64_t documents = 0, tokens = 0, text_bytes = 0;
    TextReport text;
    EncodeReport encoded;

    bool operator==(const PrepareCounts&) const = default;
};

struct PrepareJournal {
    PrepareSettings settings;
    PrepareCounts counts;
    TextPosition position;  // after these documents
    // All is encoded and split: what is left is to cut the array to `train_tokens` and publish.
    bool publishing = false;
    int64_t train_documents = 0, train_tokens = 0;

    bool operator==(const PrepareJournal&) const = default;
};

// Replaces the journal in one step.
void write_journal(const std::filesystem::path& path, const PrepareJournal& journal);
// Nothing where there is none. A damaged one: exit 65.
std::optional<PrepareJournal> read_journal(const std::filesystem::path& path);

}  // namespace polytrain
