#include "data/prepare/journal.hpp"

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/hash.hpp"
#include "core/strict_json.hpp"

namespace polytrain {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "polytrain-prepare";
constexpr int kVersion = 1;
constexpr uint64_t kMaxBytes = uint64_t{1} << 20;

json json_of(const PrepareJournal& journal) {
    const PrepareCounts& counts = journal.counts;
    return {{"format", kFormat},
            {"version", kVersion},
            {"settings",
             {{"inputs", journal.settings.inputs},
              {"tokenizer", journal.settings.tokenizer},
              {"field", journal.settings.field},
              {"validation", journal.settings.validation}}},
            {"documents", counts.documents},
            {"tokens", counts.tokens},
            {"text_bytes", counts.text_bytes},
            {"empty_documents", counts.text.empty_documents},
            {"lone_surrogates", counts.text.lone_surrogates},
            {"invalid_bytes", counts.encoded.invalid_bytes},
            {"dropped", counts.encoded.dropped},
            {"forced_cuts", counts.encoded.forced_cuts},
            {"input", journal.position.input},
            {"offset", journal.position.offset},
            {"line", journal.position.line},
            {"publishing", journal.publishing},
            {"train_documents", journal.train_documents},
            {"train_tokens", journal.train_tokens}};
}

PrepareJournal parse_journal(const json& object) {
    const auto number = [&](const char* key) { return object.at(key).get<int64_t>(); };
    const json& settings = object.at("settings");
    PrepareJournal journal;
    journal.settings = {settings.at("inputs"), settings.at("tokenizer"), settings.at("field"),
                        settings.at("validation")};
    journal.counts = {number("documents"),
                      number("tokens"),
                      number("text_bytes"),
                      {number("empty_documents"), number("lone_surrogates")},
                      {number("invalid_bytes"), number("dropped"), number("forced_cuts")}};
    journal.position = {number("input"), number("offset"), number("line")};
    journal.publishing = object.at("publishing");
    journal.train_documents = number("train_documents");
    journal.train_tokens = number("train_tokens");
    return journal;
}

}  // namespace

PrepareSettings prepare_settings(const std::vector<TextInput>& inputs, const Tokenizer& tokenizer,
                                 const std::string& field, double validation) {
    std::string hash;
    for (const TextInput& input : inputs)
        hash = content_hash(hash + std::filesystem::canonical(input.path).string() +
                            fmt::format("\n{} {}", input.bytes, input.modified_ns));
    // The fingerprint is of the ids of texts; what parts documents is not in it.
    return {hash, fmt::format("{} {}", tokenizer.fingerprint(), tokenizer.separator().value_or(-1)),
            content_hash(field), validation};
}

std::string changed_settings(const PrepareSettings& before, const PrepareSettings& now) {
    std::string changed;
    const auto add = [&](bool differs, const char* name) {
        if (differs) changed += (changed.empty() ? "" : ", ") + std::string(name);
    };
    add(before.inputs != now.inputs, "the inputs");
    add(before.tokenizer != now.tokenizer, "the tokenizer");
    add(before.field != now.field, "the field");
    add(before.validation != now.validation, "the validation fraction");
    return changed;
}

void write_journal(const std::filesystem::path& path, const PrepareJournal& journal) {
    write_file_atomic(path, seal_json(json_of(journal)));
}

std::optional<PrepareJournal> read_journal(const std::filesystem::path& path) {
    if (!std::filesystem::exists(path)) return std::nullopt;
    const json object = read_sealed_json(path, kMaxBytes);
    if (object.value("format", json()) != kFormat || object.value("version", json()) != kVersion)
        fail(ExitCode::kCorrupt, "{}: was written by another version of prepare", path.string());
    try {
        return parse_journal(object);
    } catch (const json::exception& error) {
        fail(ExitCode::kCorrupt, "{}: {}", path.string(), error.what());
    }
}

}  // namespace polytrain
