#include "eval/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/error.hpp"
#include "core/log.hpp"
#include "data/formats/open.hpp"
#include "data/text/document_reader.hpp"
#include "eval/byte_count.hpp"

namespace polytrain {
namespace {

constexpr int64_t kChunkTokens = int64_t{1} << 16;

class Evaluation {
  public:
    Evaluation(const EvalData& data, const EvalModel& model,
               const std::function<void(int64_t, double)>& on_progress)
        : data_(data),
          model_(model),
          on_progress_(on_progress),
          loss_(model.context, model.sequences, model.loss_sum) {}

    EvalResult run() {
        EvalResult result;
        if (data_.format == "auto" && is_text_input(data_.path))
            result.bytes = read_text();
        else
            result.bytes = read_tokens(result.why_no_bytes);
        loss_.finish();
        result.tokens = loss_.tokens();
        result.scored = loss_.scored();
        if (result.scored == 0)
            fail(ExitCode::kCorrupt,
                 "{}: {} tokens are too few: the first predicts the second, which is the first to "
                 "be scored",
                 data_.path.string(), result.tokens);
        result.loss = loss_.sum() / static_cast<double>(result.scored);
        if (!std::isfinite(result.loss))
            fail(ExitCode::kNumerics, "{}: the loss is {}: the model's weights are damaged",
                 data_.path.string(), result.loss);
        result.perplexity = std::exp(result.loss);
        if (result.bytes && *result.bytes > 0)
            result.bits_per_byte =
                loss_.sum() / std::numbers::ln2 / static_cast<double>(*result.bytes);
        return result;
    }

  private:
    void add(std::span<const int32_t> ids) {
        loss_.add(ids);
        if (on_progress_ && loss_.scored() > 0)
            on_progress_(loss_.tokens(), loss_.sum() / static_cast<double>(loss_.scored()));
    }

    int64_t read_text() {
        if (model_.tokenizer == nullptr)
            fail(ExitCode::kUsage,
                 "{}: the model was trained on synthetic tokens, which no text belongs to",
                 data_.path.string());
        const Tokenizer& tokenizer = model_.tokenizer->get_for(model_.vocab_size);
        const std::vector<TextInput> files = find_text_inputs({data_.path}).files;
        DocumentReader reader(files, data_.field);
        const auto encoder = tokenizer.make_encoder();
        const std::optional<int32_t> separator = tokenizer.separator();
        std::vector<int32_t> ids;
        int64_t bytes = 0;
        for (TextPart part; reader.next(part);) {
            encoder->encode(part.text, part.ends, ids);
            bytes += std::ssize(part.text);
            if (part.ends && separator) ids.push_back(*separator);
            if (std::ssize(ids) < kChunkTokens) continue;
            add(ids);
            ids.clear();
        }
        add(ids);
        check_unchanged(files);
        if (loss_.tokens() == 0) fail(ExitCode::kCorrupt, "{}: holds no text", data_.path.string());
        if (const int64_t dropped = encoder->report().dropped; dropped > 0)
            log::warn(
                "{}: {} characters are not in the tokenizer's vocabulary and were left out; "
                "losses per byte are too low",
                data_.path.string(), dropped);
        return bytes;
    }

    // Losses of tokens need none: without it, only the bytes they stand for are not known.
    const Tokenizer* usable_tokenizer(std::string& why_none) const {
        if (model_.tokenizer == nullptr) {
            why_none = "the model has no tokenizer";
            return nullptr;
        }
        try {
            return &model_.tokenizer->get();
        } catch (const Error& error) {
            log::warn("{}: bytes are not counted, as the model's tokenizer can't be used: {}",
                      data_.path.string(), error.what());
            why_none = "the model's tokenizer can't be used";
            return nullptr;
        }
    }

    std::optional<int64_t> read_tokens(std::string& why_no_bytes) {
        const DataTokenizer none("bytes");
        const OpenedTokens opened =
            open_tokens({.path = data_.path.string(), .format = data_.format, .dtype = data_.dtype},
                        model_.tokenizer != nullptr ? *model_.tokenizer : none, model_.vocab_size);
        std::optional<ByteCount> bytes;
        if (const Tokenizer* tokenizer = usable_tokenizer(why_no_bytes)) {
            bytes.emplace(*tokenizer);
            if (!opened.tokenizer_known)
                log::info(
                    "{}: the file doesn't say which tokenizer made it; it is taken to be \"{}\"",
                    data_.path.string(), model_.tokenizer->name());
        }
        std::vector<int32_t> ids(static_cast<size_t>(kChunkTokens));
        const int64_t tokens = opened.tokens->tokens();
        for (int64_t begin = 0; begin < tokens; begin += kChunkTokens) {
            ids.resize(static_cast<size_t>(std::min(kChunkTokens, tokens - begin)));
            opened.tokens->read(begin, std::ssize(ids), ids.data());
            if (bytes) bytes->add(ids);
            add(ids);
        }
        if (!bytes) return std::nullopt;
        if (!bytes->bytes()) why_no_bytes = "ids are past the tokenizer's vocabulary";
        return bytes->bytes();
    }

    const EvalData& data_;
    const EvalModel& model_;
    const std::function<void(int64_t, double)>& on_progress_;
    StreamLoss loss_;
};

}  // namespace

EvalResult evaluate(const EvalData& data, const EvalModel& model,
                    const std::function<void(int64_t, double)>& on_progress) {
    return Evaluation(data, model, on_progress).run();
}

}  // namespace polytrain
