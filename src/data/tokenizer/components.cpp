#include "data/tokenizer/components.hpp"

#include <algorithm>
#include <functional>

#include "core/utf8.hpp"

namespace polytrain {
namespace {

// Calls read(component) for each of a "Sequence" (nested ones too), in order, or for the only one.
void for_each_component(const Component& component, const char* list_key,
                        const std::function<void(const Component&)>& read) {
    if (component.text("type") != "Sequence") return read(component);
    component.only({"type", list_key});
    for (const Component& part : component.list(list_key)) for_each_component(part, list_key, read);
}

// One character, as "replacement" and the like must be.
std::string character(const Component& component, const char* key) {
    std::string text = component.text(key);
    if (text.empty() || decode_utf8(text).bytes != text.size())
        component.unsupported(key, "one character");
    return text;
}

// "pattern": {"String": text} or {"Regex": text}; returns the key and the text.
std::pair<std::string, std::string> pattern_of(const Component& component) {
    const Component pattern = component.object("pattern");
    pattern.only({"String", "Regex"});
    const char* kind = pattern.has("String") ? "String" : "Regex";
    std::string text = pattern.text(kind);
    if (text.empty()) fail(ExitCode::kBadConfig, "{}: is empty", pattern.where());
    return {kind, std::move(text)};
}

std::pair<std::string, std::string> replacement_of(const Component& component) {
    component.only({"type", "pattern", "content"});
    auto [kind, from] = pattern_of(component);
    if (kind != "String") component.unsupported("pattern", "{\"String\": ...}");
    return {std::move(from), component.text("content")};
}

// How many times longer all steps together may make a text: memory is to be bounded.
constexpr double kMaxGrowth = 64;
constexpr size_t kMaxPrefixBytes = 64;

void read_normalizer(const Component& step, Normalizer& normalizer, double& growth) {
    const std::string type = step.text("type");
    if (type == "NFC") {
        step.only({"type"});
        normalizer.add(make_nfc());
    } else if (type == "Prepend") {
        step.only({"type", "prepend"});
        const std::string prefix = step.text("prepend");
        if (prefix.size() > kMaxPrefixBytes) step.unsupported("prepend", "64 bytes at most");
        normalizer.add(make_prepend(prefix));
    } else if (type == "Replace") {
        auto [from, to] = replacement_of(step);
        growth *= std::max(1.0, static_cast<double>(to.size()) / static_cast<double>(from.size()));
        if (growth > kMaxGrowth) step.unsupported("content", "texts that grow 64-fold at most");
        normalizer.add(make_replace(std::move(from), std::move(to)));
    } else {
        step.unsupported("type", "NFC, Prepend, Replace, Sequence");
    }
}

// Metaspace's "prepend_scheme", or the "add_prefix_space" of older files.
std::string prepend_scheme(const Component& metaspace) {
    if (!metaspace.has("prepend_scheme"))
        return metaspace.boolean("add_prefix_space", true) ? "always" : "never";
    std::string scheme = metaspace.text("prepend_scheme");
    if (scheme != "always" && scheme != "first" && scheme != "never")
        metaspace.unsupported("prepend_scheme", "always, first, never");
    return scheme;
}

SplitStep read_metaspace(const Component& step) {
    step.only({"type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"});
    SplitStep split;
    split.space = character(step, "replacement");
    const std::string scheme = prepend_scheme(step);
    if (scheme != "never") split.prefix = split.space;
    split.prefix_first_only = scheme == "first";
    if (step.boolean("split", true)) {
        split.pattern = Regex::literal(split.space, step.where());
        split.behavior = SplitBehavior::kMergedWithNext;
    }
    return split;
}

SplitStep read_byte_level(const Component& step) {
    step.only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    SplitStep split;
    if (step.boolean("add_prefix_space", true)) split.prefix = " ";
    if (step.boolean("use_regex", true)) split.pattern = Regex(kGpt2Pattern, step.where());
    return split;
}

SplitBehavior behavior_of(const Component& step) {
    const std::string name = step.text("behavior");
    if (name == "Removed") return SplitBehavior::kRemoved;
    if (name == "Isolated") return SplitBehavior::kIsolated;
    if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
    if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
    if (name == "Contiguous") return SplitBehavior::kContiguous;
    step.unsupported("behavior",
                     "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
}

SplitStep read_split(const Component& step) {
    step.only({"type", "pattern", "behavior", "invert"});
    SplitStep split;
    const auto [kind, text] = pattern_of(step);
    const std::string where = step.where() + ".pattern";
    split.pattern = kind == "Regex" ? Regex(text, where) : Regex::literal(text, where);
    split.behavior = behavior_of(step);
    split.invert = step.boolean("invert", false);
    return split;
}

void read_pre_tokenizer(const Component& step, TokenizerFile& file) {
    const std::string type = step.text("type");
    if (file.model.byte_level)
        fail(ExitCode::kBadConfig, "{}: {} after ByteLevel is not supported", step.where(), type);
    SplitStep split;
    if (type == "ByteLevel") {
        split = read_byte_level(step);
        file.model.byte_level = true;
    } else if (type == "Metaspace") {
        split = read_metaspace(step);
    } else if (type == "Split") {
        split = read_split(step);
    } else {
        step.unsupported("type", "ByteLevel, Metaspace, Split, Sequence");
    }
    if (!split.does_nothing()) file.pre_tokenizer.push_back(std::move(split));
}

// The single token that "special_tokens" has for this name.
int32_t special_id(const Component& processor, const std::string& name) {
    const Component tokens = processor.object("special_tokens").object(name.c_str());
    const nlohmann::json& ids = tokens.value().value("ids", nlohmann::json());
    if (!ids.is_array() || ids.size() != 1 || !ids[0].is_number_integer() || ids[0] < 0 ||
        ids[0] > INT32_MAX)
        tokens.unsupported("ids", "one id");
    return ids[0].get<int32_t>();
}

void read_post_processor(const Component& step, TokenizerFile& file) {
    const std::string type = step.text("type");
    if (type == "ByteLevel") return;  // changes offsets, not ids
    if (type != "TemplateProcessing")
        step.unsupported("type", "ByteLevel, TemplateProcessing, Sequence");
    bool before = true;
    for (const Component& part : step.list("single")) {
        part.only({"SpecialToken", "Sequence"});
        if (part.has("Sequence")) {
            before = false;
            continue;
        }
        std::optional<int32_t>& place = before ? file.begin : file.end;
        if (place) step.unsupported("single", "at most one token before the text and one after");
        place = special_id(step, part.object("SpecialToken").text("id"));
    }
}

void read_decoder(const Component& step, TokenDecoder& decoder) {
    using Step = TokenDecoder::Step;
    const std::string type = step.text("type");
    if (type == "ByteLevel") {
        decoder.add({.kind = Step::kByteLevel});
    } else if (type == "ByteFallback") {
        decoder.add({.kind = Step::kByteFallback});
    } else if (type == "Fuse") {
        decoder.add({.kind = Step::kFuse});
    } else if (type == "Replace") {
        auto [from, to] = replacement_of(step);
        decoder.add({.kind = Step::kReplace, .from = std::move(from), .to = std::move(to)});
    } else if (type == "Metaspace") {
        decoder.add({.kind = Step::kMetaspace,
                     .from = character(step, "replacement"),
                     .to = " ",
                     .drops_first = prepend_scheme(step) != "never"});
    } else if (type == "Strip") {
        const int64_t start = step.integer("start"), stop = step.integer("stop");
        if (start < 0 || stop < 0) step.unsupported("start", "counts from 0 on");
        decoder.add({.kind = Step::kStrip,
                     .from = character(step, "content"),
                     .at_start = static_cast<size_t>(start),
                     .at_end = static_cast<size_t>(stop)});
    } else {
        step.unsupported("type",
                         "ByteLevel, ByteFallback, Fuse, Replace, Metaspace, Strip, Sequence");
    }
}

}  // namespace

void read_components(const Component& root, TokenizerFile& file) {
    double growth = 1;
    if (root.has("normalizer"))
        for_each_component(root.object("normalizer"), "normalizers", [&](const Component& step) {
            read_normalizer(step, file.normalizer, growth);
        });
    if (root.has("pre_tokenizer"))
        for_each_component(root.object("pre_tokenizer"), "pretokenizers",
                           [&](const Component& step) { read_pre_tokenizer(step, file); });
    if (file.model.byte_level && file.model.byte_fallback)
        root.object("model").unsupported("byte_fallback", "false beside ByteLevel");
    if (root.has("post_processor"))
        for_each_component(root.object("post_processor"), "processors",
                           [&](const Component& step) { read_post_processor(step, file); });
    if (root.has("decoder"))
        for_each_component(root.object("decoder"), "decoders",
                           [&](const Component& step) { read_decoder(step, file.decoder); });
}

}  // namespace polytrain
