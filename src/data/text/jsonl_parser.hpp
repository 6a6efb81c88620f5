#pragma once
// JSON lines as a stream: strict JSON (RFC 8259), one object a line, of which one string is wanted.

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace polytrain {

// A line whose text is complete.
struct JsonlLine {
    size_t text_end = 0;     // where its text ends in JsonlText::text
    int64_t end_offset = 0;  // of the byte after the line, in the stream
    int64_t number = 0;      // from 1
    int64_t lone_surrogates = 0;
};

// What a part of the stream gave: the texts of its lines one after the other, then perhaps the
// beginning of the text of a line that is not complete.
struct JsonlText {
    std::string text;
    std::vector<JsonlLine> lines;
};

// Takes the stream in parts, cut anywhere, in memory that no line's length changes. Of each line
// it gives the string at the object's top-level key `field`, unescaped; bytes that are not UTF-8
// stay as they are, and half a surrogate pair is read as U+FFFD. Lines of white space are passed
// over; a byte order mark may begin the stream.
//
// What is no JSON object, has no such key, has it twice or with another value than a string, or is
// nested deeper than 512: exit 65 with `where`, the line and the byte. After an error the parser is
// not to be used.
class JsonlParser {
  public:
    // The stream goes on at `offset`, which begins line number `line`.
    JsonlParser(std::string where, std::string field, int64_t offset = 0, int64_t line = 1);

    // Appends what `part` gives.
    void parse(std::string_view part, JsonlText& out);
    // The stream ends here; the last line needs no line feed.
    void finish(JsonlText& out);

  private:
    static constexpr size_t kMaxDepth = 512;

    enum class State : uint8_t {
        kLineStart,  // before the object
        kKeyOrEnd,   // after {
        kKey,        // after a comma in an object
        kColon,
        kValue,
        kValueOrEnd,  // after [
        kCommaOrEnd,  // after a value
        kLineEnd,     // after the object
        kString,
        kEscape,  // after a backslash
        kHex,     // after \u
        kMinus,
        kZero,
        kDigits,
        kPoint,
        kFraction,
        kExponent,
        kExponentSign,
        kExponentDigits,
        kLiteral,
    };
    enum class Role : uint8_t {
        kIgnored,
        kKey,
        kText
    };  // of the string being read; kKey at the top only

    template <class... Args>
    [[noreturn]] void refuse(const char* format, const Args&... args) const;
    [[noreturn]] void unexpected(char c) const;

    void step(char c, JsonlText& out);
    void step_line_start(char c);
    void step_value(char c);
    void step_number(char c, JsonlText& out);
    void step_hex(char c, JsonlText& out);
    void begin_string(Role role);
    void end_string();
    void open(bool object);
    void close(bool object);
    void after_value();
    void end_line(JsonlText& out);

    void put(std::string_view bytes, JsonlText& out);
    void put_code_point(char32_t code, JsonlText& out);
    void put_lone_surrogate(JsonlText& out);

    std::string where_, field_;
    int64_t offset_;  // of the byte that is looked at
    int64_t line_;
    State state_ = State::kLineStart;
    std::bitset<kMaxDepth> is_object_;  // of each open container
    size_t depth_ = 0;
    int byte_order_mark_ = 0;  // how many bytes of it were seen

    Role role_ = Role::kIgnored;
    bool in_key_ = false;  // at any depth
    uint32_t hex_ = 0, hex_digits_ = 0;
    uint32_t high_surrogate_ = 0;  // that waits for its low one
    std::string_view literal_;     // what must still come of true, false or null

    std::string key_;        // the beginning of the last top-level key
    bool is_field_ = false;  // and whether it is the field's
    bool found_ = false;     // the field, in this line
    std::string keys_seen_;  // in this line, for messages
    int64_t lone_surrogates_ = 0;
};

}  // namespace polytrain
