#include "data/text/jsonl_parser.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace polytrain {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr uint32_t kReplacement = 0xfffd;
constexpr size_t kShownKeys = 300;  // bytes of a line's keys in a message

// Bytes that a string holds as they are.
constexpr auto kPlain = [] {
    std::array<bool, 256> plain{};
    for (size_t c = 0x20; c < 256; ++c) plain[c] = c != '"' && c != '\\';
    return plain;
}();

bool is_plain(char c) {
    return kPlain[static_cast<uint8_t>(c)];
}
bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}
bool is_digit(char c) {
    return '0' <= c && c <= '9';
}

// What JSON's one-letter escapes stand for; 0 for other letters.
char unescaped(char c) {
    switch (c) {
        case '"':
        case '\\':
        case '/':
            return c;
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        default:
            return 0;
    }
}

// A key or byte as a message may show it.
std::string shown(std::string_view bytes) {
    std::string text;
    for (const char c : bytes)
        text += 0x20 <= c && c < 0x7f ? std::string(1, c)
                                      : fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
    return text;
}

std::string_view kind_of(char c) {
    switch (c) {
        case '{':
            return "an object";
        case '[':
            return "an array";
        case 't':
        case 'f':
            return "true or false";
        case 'n':
            return "null";
        default:
            return "a number";
    }
}

}  // namespace

JsonlParser::JsonlParser(std::string where, std::string field, int64_t offset, int64_t line)
    : where_(std::move(where)), field_(std::move(field)), offset_(offset), line_(line) {}

template <class... Args>
void JsonlParser::refuse(const char* format, const Args&... args) const {
    fail(ExitCode::kCorrupt, "{}: line {}, byte {}: {}", where_, line_, offset_,
         fmt::format(fmt::runtime(format), args...));
}

void JsonlParser::unexpected(char c) const {
    if (state_ == State::kLineStart)
        refuse("a line must be a JSON object, but this one begins with '{}'", shown({&c, 1}));
    if (state_ == State::kLineEnd)
        refuse("'{}' after the end of the line's object", shown({&c, 1}));
    if (state_ == State::kString)
        refuse("a control character (\\x{:02x}) in a string, where JSON wants it escaped", c);
    refuse("not valid JSON: '{}' is not expected here", shown({&c, 1}));
}

void JsonlParser::parse(std::string_view part, JsonlText& out) {
    const int64_t begin = offset_;
    for (size_t i = 0; i < part.size();) {
        offset_ = begin + static_cast<int64_t>(i);
        if (state_ == State::kString && is_plain(part[i])) {
            const size_t first = i;
            while (i < part.size() && is_plain(part[i])) ++i;
            put_lone_surrogate(out);
            put(part.substr(first, i - first), out);
        } else {
            step(part[i++], out);
        }
    }
    offset_ = begin + static_cast<int64_t>(part.size());
}

void JsonlParser::finish(JsonlText& out) {
    if (state_ == State::kLineEnd) {
        --offset_;  // of a line feed that is not there
        end_line(out);
        return;
    }
    if (state_ != State::kLineStart || (byte_order_mark_ != 0 && byte_order_mark_ != 3))
        refuse("the file ends within the line");
}

void JsonlParser::step(char c, JsonlText& out) {
    if (c == '\n') return end_line(out);
    switch (state_) {
        case State::kLineStart:
            return step_line_start(c);
        case State::kKeyOrEnd:
        case State::kKey:
            if (is_space(c)) return;
            if (c == '"') return begin_string(Role::kKey);
            if (c == '}' && state_ == State::kKeyOrEnd) return close(true);
            unexpected(c);
        case State::kColon:
            if (is_space(c)) return;
            if (c != ':') unexpected(c);
            state_ = State::kValue;
            return;
        case State::kValue:
        case State::kValueOrEnd:
            if (is_space(c)) return;
            if (c == ']' && state_ == State::kValueOrEnd) return close(false);
            return step_value(c);
        case State::kCommaOrEnd:
            if (is_space(c)) return;
            if (c == ',') {
                state_ = is_object_[depth_ - 1] ? State::kKey : State::kValue;
                return;
            }
            if (c == '}' || c == ']') return close(c == '}');
            unexpected(c);
        case State::kLineEnd:
            if (!is_space(c)) unexpected(c);
            return;
        case State::kString:
            if (c == '\\') {
                state_ = State::kEscape;
                return;
            }
            if (c != '"') unexpected(c);
            put_lone_surrogate(out);
            return end_string();
        case State::kEscape:
            if (c == 'u') {
                state_ = State::kHex;
                hex_ = hex_digits_ = 0;
                return;
            }
            if (unescaped(c) == 0) unexpected(c);
            put_lone_surrogate(out);
            c = unescaped(c);
            put({&c, 1}, out);
            state_ = State::kString;
            return;
        case State::kHex:
            return step_hex(c, out);
        case State::kLiteral:
            if (c != literal_.front()) unexpected(c);
            literal_.remove_prefix(1);
            if (literal_.empty()) after_value();
            return;
        default:
            return step_number(c, out);
    }
}

void JsonlParser::step_line_start(char c) {
    const auto marks = static_cast<int64_t>(byte_order_mark_);
    if (offset_ == marks && marks < 3 && c == kByteOrderMark[static_cast<size_t>(marks)]) {
        ++byte_order_mark_;
        return;
    }
    if (offset_ == marks && marks != 0 && marks != 3) unexpected(c);
    if (is_space(c)) return;
    if (c != '{') unexpected(c);
    open(true);
}

void JsonlParser::step_value(char c) {
    if (is_field_ && depth_ == 1 && c != '"')
        refuse("\"{}\" is {}, not a string", shown(field_), kind_of(c));
    const auto literal = [this](std::string_view rest) {
        literal_ = rest;
        state_ = State::kLiteral;
    };
    switch (c) {
        case '"':
            return begin_string(is_field_ && depth_ == 1 ? Role::kText : Role::kIgnored);
        case '{':
        case '[':
            return open(c == '{');
        case 't':
            return literal("rue");
        case 'f':
            return literal("alse");
        case 'n':
            return literal("ull");
        case '-':
            state_ = State::kMinus;
            return;
        default:
            if (!is_digit(c)) unexpected(c);
            state_ = c == '0' ? State::kZero : State::kDigits;
    }
}

void JsonlParser::step_number(char c, JsonlText& out) {
    const bool digit = is_digit(c);
    const bool exponent = c == 'e' || c == 'E';
    switch (state_) {
        case State::kMinus:
            if (!digit) unexpected(c);
            state_ = c == '0' ? State::kZero : State::kDigits;
            return;
        case State::kPoint:
            if (!digit) unexpected(c);
            state_ = State::kFraction;
            return;
        case State::kExponent:
        case State::kExponentSign:
            if (!digit && (state_ == State::kExponentSign || (c != '+' && c != '-'))) unexpected(c);
            state_ = digit ? State::kExponentDigits : State::kExponentSign;
            return;
        case State::kZero:
        case State::kDigits:
            if (digit && state_ == State::kDigits) return;
            if (c == '.') {
                state_ = State::kPoint;
                return;
            }
            [[fallthrough]];
        case State::kFraction:
            if (exponent) {
                state_ = State::kExponent;
                return;
            }
            if (digit && state_ == State::kFraction) return;
            [[fallthrough]];
        default:
            if (digit && state_ == State::kExponentDigits) return;
            after_value();  // the number ended before this byte
            return step(c, out);
    }
}

void JsonlParser::step_hex(char c, JsonlText& out) {
    uint32_t digit = 0;
    if (is_digit(c))
        digit = static_cast<uint32_t>(c - '0');
    else if (('a' <= c && c <= 'f') || ('A' <= c && c <= 'F'))
        digit = static_cast<uint32_t>((c | 0x20) - 'a') + 10;
    else
        unexpected(c);
    hex_ = hex_ * 16 + digit;
    if (++hex_digits_ < 4) return;
    state_ = State::kString;
    if (0xdc00 <= hex_ && hex_ < 0xe000 && high_surrogate_ != 0) {
        const uint32_t high = std::exchange(high_surrogate_, 0);
        put_code_point(0x10000 + ((high - 0xd800) << 10) + (hex_ - 0xdc00), out);
        return;
    }
    put_lone_surrogate(out);  // the one before, perhaps
    if (hex_ < 0xd800 || hex_ >= 0xe000) return put_code_point(hex_, out);
    high_surrogate_ = hex_;
    if (hex_ >= 0xdc00) put_lone_surrogate(out);
}

void JsonlParser::begin_string(Role role) {
    const bool top_key = role == Role::kKey && depth_ == 1;
    role_ = role == Role::kKey && !top_key ? Role::kIgnored : role;
    if (top_key) key_.clear();
    in_key_ = role == Role::kKey;
    state_ = State::kString;
}

void JsonlParser::end_string() {
    if (!in_key_) return after_value();
    state_ = State::kColon;
    if (role_ != Role::kKey) return;
    is_field_ = key_ == field_;
    if (is_field_ && found_) refuse("\"{}\" is twice in this line", shown(field_));
    found_ |= is_field_;
    if (keys_seen_.size() < kShownKeys) keys_seen_ += (keys_seen_.empty() ? "" : ", ") + key_;
}

void JsonlParser::open(bool object) {
    if (depth_ == kMaxDepth) refuse("JSON nested deeper than {}", kMaxDepth);
    is_object_[depth_++] = object;
    state_ = object ? State::kKeyOrEnd : State::kValueOrEnd;
}

void JsonlParser::close(bool object) {
    if (is_object_[depth_ - 1] != object) unexpected(object ? '}' : ']');
    --depth_;
    after_value();
}

void JsonlParser::after_value() {
    state_ = depth_ == 0 ? State::kLineEnd : State::kCommaOrEnd;
}

void JsonlParser::end_line(JsonlText& out) {
    if (state_ == State::kLineEnd) {
        if (!found_)
            refuse("the line has no \"{}\"; its keys are: {}. Name the right one with --field",
                   shown(field_), keys_seen_.empty() ? "none" : shown(keys_seen_));
        out.lines.push_back({out.text.size(), offset_ + 1, line_, lone_surrogates_});
    } else if (state_ != State::kLineStart) {
        refuse("the line ends within its JSON object");
    } else if (byte_order_mark_ == 1 || byte_order_mark_ == 2) {
        unexpected(kByteOrderMark.front());
    }
    state_ = State::kLineStart;
    ++line_;
    found_ = is_field_ = false;
    keys_seen_.clear();
    lone_surrogates_ = 0;
}

void JsonlParser::put(std::string_view bytes, JsonlText& out) {
    if (role_ == Role::kText) {
        out.text += bytes;
    } else if (role_ == Role::kKey) {
        // Enough of it to tell it from the field, and to show it.
        const size_t kept = std::max<size_t>(field_.size() + 1, 64);
        key_ += bytes.substr(0, kept - std::min(kept, key_.size()));
    }
}

void JsonlParser::put_code_point(char32_t code, JsonlText& out) {
    std::string bytes;
    append_utf8(bytes, code);
    put(bytes, out);
}

void JsonlParser::put_lone_surrogate(JsonlText& out) {
    if (high_surrogate_ == 0) return;
    high_surrogate_ = 0;
    put_code_point(kReplacement, out);
    if (role_ == Role::kText) ++lone_surrogates_;
}

}  // namespace polytrain
