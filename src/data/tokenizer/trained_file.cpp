#include "data/tokenizer/trained_file.hpp"

#include <nlohmann/json.hpp>

namespace polytrain {
namespace {

using nlohmann::ordered_json;

ordered_json special_token(size_t id, const std::string& content) {
    return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
            {"rstrip", false}, {"normalized", false}, {"special", true}};
}

ordered_json byte_level_component() {
    return {{"type", "ByteLevel"},
            {"add_prefix_space", false},
            {"trim_offsets", true},
            {"use_regex", true}};
}

ordered_json model_json(const LearnedBpe& bpe, TokenizerFamily family) {
    const bool llama = family == TokenizerFamily::kLlama;
    ordered_json vocabulary = ordered_json::object(), merges = ordered_json::array();
    auto& items = vocabulary.get_ref<ordered_json::object_t&>();
    items.reserve(bpe.tokens.size());
    for (size_t id = 0; id < bpe.tokens.size(); ++id) items.emplace_back(bpe.tokens[id], id);
    for (const auto& [left, right] : bpe.merges)
        merges.push_back(
            {bpe.tokens[static_cast<size_t>(left)], bpe.tokens[static_cast<size_t>(right)]});
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", llama ? ordered_json("<unk>") : ordered_json(nullptr)},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", llama},
            {"byte_fallback", llama},
            {"ignore_merges", false},
            {"vocab", vocabulary},
            {"merges", merges}};
}

ordered_json byte_level_file(const LearnedBpe& bpe) {
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", {special_token(0, bpe.tokens[0])}},
            {"normalizer", nullptr},
            {"pre_tokenizer", byte_level_component()},
            {"post_processor", byte_level_component()},
            {"decoder", byte_level_component()},
            {"model", model_json(bpe, TokenizerFamily::kByteLevel)}};
}

ordered_json llama_file(const LearnedBpe& bpe) {
    const ordered_json to_mark = {
        {"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpaceMark}};
    const ordered_json from_mark = {
        {"type", "Replace"}, {"pattern", {{"String", kSpaceMark}}}, {"content", " "}};
    const ordered_json first = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
    const ordered_json a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
    const ordered_json b = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
    const ordered_json first_of_b = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 1}}}};
    ordered_json added = ordered_json::array();
    for (size_t id = 0; id < 3; ++id) added.push_back(special_token(id, bpe.tokens[id]));
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", added},
            {"normalizer",
             {{"type", "Sequence"},
              {"normalizers", {{{"type", "Prepend"}, {"prepend", kSpaceMark}}, to_mark}}}},
            {"pre_tokenizer", nullptr},
            {"post_processor",
             {{"type", "TemplateProcessing"},
              {"single", {first, a}},
              {"pair", {first, a, first_of_b, b}},
              {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {1}}, {"tokens", {"<s>"}}}}}}}},
            {"decoder",
             {{"type", "Sequence"},
              {"decoders",
               {from_mark,
                {{"type", "ByteFallback"}},
                {{"type", "Fuse"}},
                {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}},
            {"model", model_json(bpe, TokenizerFamily::kLlama)}};
}

}  // namespace

std::string trained_file_text(const LearnedBpe& bpe, TokenizerFamily family) {
    const ordered_json file =
        family == TokenizerFamily::kLlama ? llama_file(bpe) : byte_level_file(bpe);
    return file.dump(1) + "\n";
}

}  // namespace polytrain
