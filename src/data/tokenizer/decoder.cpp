#include "data/tokenizer/decoder.hpp"

#include <algorithm>
#include <charconv>

#include "data/tokenizer/byte_level.hpp"

namespace polytrain {
namespace {

using Step = TokenDecoder::Step;

// The byte of "<0x0A>", or -1.
int fallback_byte(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return -1;
    int byte = -1;
    const char* end = token.data() + 5;
    return std::from_chars(token.data() + 3, end, byte, 16).ptr == end ? byte : -1;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
}

void strip(std::string& text, const Step& step) {
    for (size_t i = 0; i < step.at_start && text.starts_with(step.from); ++i)
        text.erase(0, step.from.size());
    for (size_t i = 0; i < step.at_end && text.ends_with(step.from); ++i)
        text.resize(text.size() - step.from.size());
}

void apply(std::string& text, const Step& step, bool first) {
    switch (step.kind) {
        case Step::kByteLevel:
            if (auto bytes = from_byte_level(text)) text = std::move(*bytes);
            break;
        case Step::kByteFallback:
            if (const int byte = fallback_byte(text); byte >= 0)
                text.assign(1, static_cast<char>(byte));
            break;
        case Step::kReplace:
            replace_all(text, step.from, step.to);
            break;
        case Step::kMetaspace:
            replace_all(text, step.from, first && step.drops_first ? "" : step.to);
            break;
        case Step::kStrip:
            strip(text, step);
            break;
        case Step::kFuse:
            break;
    }
}

}  // namespace

void TokenDecoder::add(Step step) {
    first_differs_ |= step.drops_first;
    steps_.push_back(std::move(step));
}

std::string TokenDecoder::token_bytes(std::string token, bool first) const {
    for (const Step& step : steps_) {
        if (step.kind == Step::kFuse) break;
        apply(token, step, first);
    }
    return token;
}

void TokenDecoder::finish(std::string& bytes) const {
    const auto fuse = std::find_if(steps_.begin(), steps_.end(),
                                   [](const Step& step) { return step.kind == Step::kFuse; });
    for (auto step = fuse; step != steps_.end(); ++step) apply(bytes, *step, true);
}

}  // namespace polytrain
