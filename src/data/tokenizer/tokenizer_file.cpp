#include "data/tokenizer/tokenizer_file.hpp"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "core/hash.hpp"
#include "core/strict_json.hpp"
#include "core/utf8.hpp"
#include "data/tokenizer/component.hpp"
#include "data/tokenizer/components.hpp"

namespace polytrain {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 32;
// Ids index tables here and rows of the embedding there.
constexpr int64_t kMaxId = (int64_t{1} << 22) - 1;

template <class Where>
int32_t checked_id(int64_t id, const Where& where) {
    if (id < 0 || id > kMaxId)
        fail(ExitCode::kBadConfig, "{}: id {} is not in 0 to {}", where(), id, kMaxId);
    return static_cast<int32_t>(id);
}

void read_vocabulary(const Component& model, BpeSpec& spec) {
    const Component vocabulary = model.object("vocab");
    std::unordered_map<int32_t, std::string> by_id;
    for (const auto& [token, id] : vocabulary.value().items()) {
        const auto where = [&, &key = token] { return vocabulary.where() + "." + key; };
        if (!id.is_number_integer()) fail(ExitCode::kBadConfig, "{}: is not an id", where());
        const int32_t checked = checked_id(id.get<int64_t>(), where);
        if (const auto [other, added] = by_id.emplace(checked, token); !added)
            fail(ExitCode::kBadConfig, "{}: has the id {} of \"{}\"", where(), checked,
                 other->second);
        spec.vocabulary.emplace(token, checked);
    }
    if (by_id.empty()) fail(ExitCode::kBadConfig, "{}: is empty", vocabulary.where());
}

// "a b", or ["a", "b"] as newer files have it.
template <class Where>
std::pair<std::string, std::string> merge_parts(const json& merge, const Where& where) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
        return {merge[0].get<std::string>(), merge[1].get<std::string>()};
    if (merge.is_string()) {
        const auto& text = merge.get_ref<const std::string&>();
        const size_t space = text.find(' ');
        if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos)
            return {text.substr(0, space), text.substr(space + 1)};
    }
    fail(ExitCode::kBadConfig, "{}: is not a merge, \"a b\" or [\"a\", \"b\"]", where());
}

int64_t read_merges(const Component& model, BpeSpec& spec) {
    if (!model.has("merges") || !model.value()["merges"].is_array())
        fail(ExitCode::kBadConfig, "{}.merges: is not an array", model.where());
    const json& merges = model.value()["merges"];
    std::unordered_set<std::string> made_of_bytes;
    if (spec.byte_fallback)
        for (int byte = 0; byte < 256; ++byte)
            made_of_bytes.insert(fmt::format("<0x{:02X}>", byte));
    std::unordered_set<uint64_t> seen(2 * merges.size());
    spec.merges.reserve(merges.size());
    int64_t duplicates = 0;
    for (size_t i = 0; i < merges.size(); ++i) {
        const auto where = [&] { return fmt::format("{}.merges[{}]", model.where(), i); };
        const auto [left, right] = merge_parts(merges[i], where);
        const auto id_of = [&](const std::string& token) {
            const auto found = spec.vocabulary.find(token);
            if (found == spec.vocabulary.end())
                fail(ExitCode::kBadConfig, "{}: \"{}\" is not in the vocabulary", where(), token);
            return found->second;
        };
        if (left.empty() || right.empty())
            fail(ExitCode::kBadConfig, "{}: merges an empty token", where());
        const std::string result = left + right;
        if (made_of_bytes.contains(result))
            fail(ExitCode::kBadConfig, "{}: makes the byte token {}, which is not supported",
                 where(), result);
        spec.merges.push_back({id_of(left), id_of(right), id_of(result)});
        const BpeSpec::Merge& merge = spec.merges.back();
        const auto pair = static_cast<uint64_t>(merge.left) << 32 |
                          static_cast<uint64_t>(static_cast<uint32_t>(merge.right));
        duplicates += seen.insert(pair).second ? 0 : 1;
    }
    return duplicates;
}

void read_model(const Component& model, TokenizerFile& file) {
    if (model.has("type") && model.text("type") != "BPE") model.unsupported("type", "\"BPE\"");
    model.only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
    if (model.has("dropout") && model.value()["dropout"] != 0)
        model.unsupported("dropout", "none: with it, ids are random");
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
        if (model.has(key) && !model.text(key).empty()) model.unsupported(key, "null");
    BpeSpec& spec = file.model;
    spec.byte_fallback = model.boolean("byte_fallback", false);
    spec.fuse_unknown = model.boolean("fuse_unk", false);
    spec.ignore_merges = model.boolean("ignore_merges", false);
    read_vocabulary(model, spec);
    if (model.has("unk_token")) {
        const auto found = spec.vocabulary.find(model.text("unk_token"));
        if (found == spec.vocabulary.end())
            fail(ExitCode::kBadConfig, "{}.unk_token: \"{}\" is not in the vocabulary",
                 model.where(), model.text("unk_token"));
        spec.unknown = found->second;
    }
    file.duplicate_merges = read_merges(model, spec);
}

AddedToken read_added_token(const Component& token, const BpeSpec& model) {
    token.only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    AddedToken added;
    added.id = checked_id(token.integer("id"), [&] { return token.where(); });
    added.content = token.text("content");
    added.left_strip = token.boolean("lstrip", false);
    added.right_strip = token.boolean("rstrip", false);
    added.special = token.boolean("special", false);
    added.normalized = token.boolean("normalized", !added.special);
    if (token.boolean("single_word", false)) token.unsupported("single_word", "false");
    if (added.content.empty() || added.content.size() > AddedTokens::kMaxBytes)
        fail(ExitCode::kBadConfig, "{}.content: has {} bytes; 1 to {} are supported", token.where(),
             added.content.size(), AddedTokens::kMaxBytes);
    const auto found = model.vocabulary.find(added.content);
    if (found != model.vocabulary.end() && found->second != added.id)
        fail(ExitCode::kBadConfig, "{}: \"{}\" has the id {} here and {} in model.vocab",
             token.where(), added.content, added.id, found->second);
    return added;
}

void read_added_tokens(const Component& root, TokenizerFile& file) {
    if (!root.has("added_tokens")) return;
    std::unordered_map<int32_t, std::string> by_id;
    for (const auto& [token, id] : file.model.vocabulary) by_id.emplace(id, token);
    std::set<std::string> contents;
    for (const Component& token : root.list("added_tokens")) {
        AddedToken added = read_added_token(token, file.model);
        const auto [other, fresh] = by_id.emplace(added.id, added.content);
        if (!fresh && other->second != added.content)
            fail(ExitCode::kBadConfig, "{}: \"{}\" has the id {} of \"{}\"", token.where(),
                 added.content, added.id, other->second);
        if (!contents.insert(added.content).second)
            fail(ExitCode::kBadConfig, "{}: \"{}\" is there twice", token.where(), added.content);
        file.added.push_back(std::move(added));
    }
}

// Of what decides ids and nothing else, so that other white space, or merges written as pairs,
// don't make another tokenizer.
std::string fingerprint_of(json&& root, const TokenizerFile& file) {
    for (const char* key : {"version", "truncation", "padding", "post_processor", "decoder"})
        root.erase(key);
    json& model = root["model"];
    model.erase("merges");
    for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "type"})
        model.erase(key);
    std::string text = root.dump(-1, ' ', false, json::error_handler_t::replace);
    for (const BpeSpec::Merge& merge : file.model.merges)
        (text += std::to_string(merge.left) + ' ') += std::to_string(merge.right) + '\n';
    return content_hash(text);
}

}  // namespace

TokenizerFile parse_tokenizer_file(std::string_view text, const std::string& where) {
    json document = parse_strict_json(text, where, kMaxDepth);
    const Component root(document, where);
    root.only({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
               "post_processor", "decoder", "model"});
    if (root.has("version") && root.text("version") != "1.0")
        root.unsupported("version", "\"1.0\"");
    for (const char* key : {"truncation", "padding"})
        if (root.has(key)) root.unsupported(key, "null");
    TokenizerFile file;
    read_model(root.object("model"), file);
    read_added_tokens(root, file);
    read_components(root, file);
    file.fingerprint = fingerprint_of(std::move(document), file);
    return file;
}

}  // namespace polytrain
