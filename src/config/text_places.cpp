#include "config/text_places.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace polytrain::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kSpace = " \t\r\n";

// What people write that is JavaScript or Python but not JSON, by how it begins.
std::string_view hint_for(std::string_view found, std::string_view before) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kHints{
        {{"NaN", "JSON has no NaN"},
         {"nan", "JSON has no NaN"},
         {"-NaN", "JSON has no NaN"},
         {"-nan", "JSON has no NaN"},
         {"Inf", "JSON has no infinity"},
         {"inf", "JSON has no infinity"},
         {"-Inf", "JSON has no infinity"},
         {"-inf", "JSON has no infinity"},
         {"True", "JSON writes true"},
         {"False", "JSON writes false"},
         {"None", "JSON writes null"},
         {"'", "JSON takes double quotes"},
         {"/", "JSON has no comments"}}};
    for (const auto& [prefix, hint] : kHints)
        if (found.starts_with(prefix)) return hint;
    const size_t last = before.find_last_not_of(kSpace);
    if ((found.starts_with('}') || found.starts_with(']')) && last != std::string_view::npos &&
        before[last] == ',')
        return "JSON takes no comma before a closing bracket";
    return {};
}

// What is wrong, from nlohmann's message: without its number, its own position, and the text it
// read last, which may hold bytes that cannot be shown.
std::string plain_message(std::string_view message) {
    for (std::string_view mark : {" - ", "] "})
        if (const size_t found = message.find(mark); found != std::string_view::npos) {
            message.remove_prefix(found + mark.size());
            break;
        }
    const size_t quote = message.find("; last read: '");
    const size_t expected = message.rfind("; expected ");
    std::string plain(message.substr(0, quote));
    if (quote != std::string_view::npos && expected != std::string_view::npos && expected > quote)
        plain += message.substr(expected);
    return plain;
}

}  // namespace

TextPlaces::TextPlaces(std::string_view text, std::string source)
    : text_(text), source_(std::move(source)) {
    if (text_.starts_with(kByteOrderMark)) cursor_ = offset_ = kByteOrderMark.size();
}

size_t TextPlaces::next_token() const {
    return std::min(text_.find_first_not_of(" \t\r\n:,]}", cursor_), text_.size());
}

Place TextPlaces::next() {
    const size_t begin = next_token();
    PT_CHECK(begin < text_.size(), "{}: more events than tokens", source_);
    if (text_[begin] == '{' || text_[begin] == '[') {
        cursor_ = begin + 1;
    } else if (text_[begin] == '"') {
        cursor_ = begin + 1;
        while (text_[cursor_] != '"') cursor_ += text_[cursor_] == '\\' ? 2 : 1;
        ++cursor_;
    } else {
        cursor_ = std::min(text_.find_first_of(" \t\r\n:,]}", begin), text_.size());
    }
    return at(begin);
}

Place TextPlaces::at(size_t offset) {
    if (offset < offset_) {
        offset_ = 0;
        line_ = column_ = 1;
    }
    for (; offset_ < offset; ++offset_) {
        if (text_[offset_] == '\n') {
            ++line_;
            column_ = 1;
        } else if (!is_utf8_continuation(text_[offset_])) {
            ++column_;
        }
    }
    return {source_, line_, column_};
}

void TextPlaces::fail_at(size_t position, std::string_view error) {
    const std::string message = plain_message(error);
    const auto says = [&](std::string_view words) {
        return message.find(words) != std::string::npos;
    };
    const size_t last = std::min(position > 0 ? position - 1 : 0, text_.size());
    // A bad character within a string, or a bracket, comma or colon out of place, is the last that
    // was read; all else is best seen from where it begins.
    const bool in_string = says("invalid string") && !says("missing closing quote");
    const bool bracket = says("unexpected") && last < text_.size() &&
                         std::string_view("{}[]:,").find(text_[last]) != std::string_view::npos;
    // (Where two tokens touch, as in 01, next_token() is past both.)
    const size_t where = in_string || bracket ? last : std::min(next_token(), last);
    const std::string_view hint = hint_for(text_.substr(where), text_.substr(0, where));
    fail(ExitCode::kBadConfig, "{}: not valid JSON: {}{}{}", at(where).text(), message,
         hint.empty() ? "" : "; ", hint);
}

}  // namespace polytrain::config
