#include "generate/text_stream.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "core/utf8.hpp"

namespace polytrain {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

}  // namespace

std::string TextStream::add(int32_t id) {
    if (last_) {
        const std::array<int32_t, 2> both{*last_, id};
        const size_t before = tokenizer_.decode(std::span(both).first(1)).size();
        const std::string text = tokenizer_.decode(both);
        waiting_ += std::string_view(text).substr(std::min(before, text.size()));
    } else {
        waiting_ += tokenizer_.decode({&id, 1});
    }
    last_ = id;

    std::string whole;
    std::string_view rest = waiting_;
    while (!rest.empty()) {
        const size_t valid = valid_utf8_prefix(rest);
        whole += rest.substr(0, valid);
        rest.remove_prefix(valid);
        if (rest.empty() || is_cut_utf8(rest)) break;
        whole += kReplacement;
        rest.remove_prefix(1);
    }
    waiting_ = std::string(rest);
    return whole;
}

std::string TextStream::finish() {
    std::string text;
    for (size_t i = 0; i < waiting_.size(); ++i) text += kReplacement;
    waiting_.clear();
    return text;
}

}  // namespace polytrain
