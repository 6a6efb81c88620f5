#include "data/tokenizer/bpe_tokenizer.hpp"

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/log.hpp"
#include "data/tokenizer/bpe_encoder.hpp"
#include "data/tokenizer/tokenizer_file.hpp"

namespace polytrain {
namespace {

std::optional<int32_t> usual_separator(const std::vector<AddedToken>& added) {
    std::optional<int32_t> separator;
    for (const AddedToken& token : added)
        for (const char* name : {"</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>"})
            if (token.content == name) {
                if (separator) return std::nullopt;
                separator = token.id;
            }
    return separator;
}

BpePipeline make_pipeline(TokenizerFile& file) {
    BpePipeline pipeline{
        {}, std::move(file.normalizer), {}, std::move(file.pre_tokenizer), BpeModel(file.model)};
    int64_t ignored = 0;
    for (const AddedToken& token : file.added) {
        if (!token.normalized) {
            pipeline.raw_tokens.add(token.content, token);
            continue;
        }
        std::string buffer;
        const std::string_view text =
            pipeline.normalizer.apply(token.content, true, buffer, ignored);
        if (!text.empty() && text.size() <= AddedTokens::kMaxBytes)
            pipeline.normalized_tokens.add(text, token);
    }
    return pipeline;
}

class BpeTokenizer final : public Tokenizer {
  public:
    BpeTokenizer(std::string text, const std::string& where) : text_(std::move(text)) {
        TokenizerFile file = parse_tokenizer_file(text_, where);
        if (file.duplicate_merges > 0)
            log::warn("{}: {} merges are listed twice; the later place counts", where,
                      file.duplicate_merges);
        fingerprint_ = "bpe-1 " + file.fingerprint;
        begin_ = file.begin;
        separator_ = file.end ? file.end : usual_separator(file.added);
        fill_tokens(file);
        for (const auto& id : {begin_, separator_})
            if (id && (*id < 0 || *id >= vocab_size()))
                fail(ExitCode::kBadConfig, "{}: post_processor: there is no token {}", where, *id);
        decoder_ = std::move(file.decoder);
        pipeline_.emplace(make_pipeline(file));
        added_ = std::move(file.added);
    }

    std::string_view name() const override { return "bpe"; }
    int64_t vocab_size() const override { return static_cast<int64_t>(tokens_.size()); }
    std::string fingerprint() const override { return fingerprint_; }
    std::optional<int32_t> separator() const override { return separator_; }
    std::optional<int32_t> begin_of_text() const override { return begin_; }
    std::string file_text() const override { return text_; }
    std::unique_ptr<Encoder> make_encoder() const override {
        return std::make_unique<BpeEncoder>(*pipeline_);
    }
    std::string description() const override {
        const nlohmann::json file = nlohmann::json::parse(text_);
        std::string text = fmt::format("merges         {}\n", file["model"]["merges"].size());
        for (const char* key : {"normalizer", "pre_tokenizer", "post_processor", "decoder"})
            text += fmt::format("{:<15}{}\n", key, file.value(key, nlohmann::json()).dump());
        for (const AddedToken& token : added_)
            text += fmt::format(
                "added token    {} {}{}{}\n", token.id, nlohmann::json(token.content).dump(),
                token.special ? ", special" : "", token.normalized ? ", in normalized text" : "");
        return text;
    }

    std::string decode(std::span<const int32_t> ids) const override {
        std::string bytes;
        for (size_t i = 0; i < ids.size(); ++i) {
            PT_CHECK(0 <= ids[i] && ids[i] < vocab_size(), "token {} of a vocabulary of {}", ids[i],
                     vocab_size());
            if (i > 0) bytes += decoder_.between();
            const auto id = static_cast<size_t>(ids[i]);
            bytes += i == 0 && decoder_.first_differs() ? decoder_.token_bytes(tokens_[id], true)
                                                        : token_bytes_[id];
        }
        decoder_.finish(bytes);
        return bytes;
    }

  private:
    void fill_tokens(const TokenizerFile& file) {
        const auto put = [&](const std::string& token, int32_t id) {
            const auto at = static_cast<size_t>(id);
            if (at >= tokens_.size()) tokens_.resize(at + 1);
            tokens_[at] = token;
        };
        for (const auto& [token, id] : file.model.vocabulary) put(token, id);
        for (const AddedToken& token : file.added) put(token.content, token.id);
        token_bytes_.reserve(tokens_.size());
        for (const std::string& token : tokens_)
            token_bytes_.push_back(file.decoder.token_bytes(token, false));
    }

    std::string text_, fingerprint_;
    std::optional<int32_t> begin_, separator_;
    std::vector<std::string> tokens_, token_bytes_;  // by id; empty where no token has it
    std::vector<AddedToken> added_;
    TokenDecoder decoder_;
    std::optional<BpePipeline> pipeline_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_bpe_tokenizer(std::string text, const std::string& where) {
    return std::make_unique<BpeTokenizer>(std::move(text), where);
}

}  // namespace polytrain
