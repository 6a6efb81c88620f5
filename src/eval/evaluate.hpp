#pragma once
// The loss of a model over the whole of a file: perplexity and bits per byte.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "data/data_tokenizer.hpp"
#include "eval/stream_loss.hpp"

namespace polytrain {

struct EvalData {
    // A text or a folder of texts (data/text/text_inputs.hpp), or a token file of any format.
    std::filesystem::path path;
    std::string format = "auto", dtype = "auto";  // of token files, as in data.train; else text
    std::string field = "text";                   // of JSON lines
};

// The model, as far as its evaluation goes.
struct EvalModel {
    int64_t context = 0, vocab_size = 0;
    int64_t sequences = 1;  // in a batch
    // Null for a model that belongs to no text: then token files alone can be evaluated.
    const DataTokenizer* tokenizer = nullptr;
    LossSum loss_sum;
};

struct EvalResult {
    int64_t tokens = 0, scored = 0;
    double loss = 0;  // mean over the scored tokens, in nats
    double perplexity = 0;
    // Of the text, or of what the tokens stand for; separators between documents have none.
    std::optional<int64_t> bytes;
    std::string why_no_bytes;
    // What it takes to code the text by the model.
    std::optional<double> bits_per_byte;
};

// Documents of texts follow each other as `polytrain prepare` puts them, so that a text and its
// token file have the same loss. `on_progress` gets the tokens so far and their loss, now and then.
//
// Missing: exit 66; damaged, empty, less than two tokens, or an id that the model doesn't have:
// exit 65; of another tokenizer: exit 78; text for a model without a tokenizer: exit 2; a loss that
// is not finite: exit 76.
EvalResult evaluate(const EvalData& data, const EvalModel& model,
                    const std::function<void(int64_t tokens, double loss)>& on_progress = {});

}  // namespace polytrain
