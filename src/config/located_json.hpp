#pragma once
// JSON that knows where each key and value was written, for messages that point at the mistake.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace polytrain::config {

// A spot in a file (line and column from 1, columns counted in characters); with line 0, a source
// that has no lines, such as an override on the command line.
struct Place {
    std::string source;
    int line = 0;
    int column = 0;

    std::string text() const;  // "run.json:3:14", or the source alone
};

struct JsonMember;

// A value, and where it begins. Integers are int64_t where they fit, else uint64_t, else double.
struct LocatedJson {
    using Array = std::vector<LocatedJson>;
    using Object = std::vector<JsonMember>;  // in the order of the file
    using Value =
        std::variant<std::nullptr_t, bool, int64_t, uint64_t, double, std::string, Array, Object>;

    Value value;
    Place place;

    const Object* object() const { return std::get_if<Object>(&value); }
    const Array* array() const { return std::get_if<Array>(&value); }
    // The member of that name; null when there is none, or this is no object.
    const LocatedJson* find(std::string_view name) const;
    LocatedJson* find(std::string_view name);
    // The value at a dotted path of member names ("model.heads"), or null.
    const LocatedJson* at(std::string_view path) const;
    // Gives every key and value within one and the same place.
    void set_places(const Place& everywhere);
};

struct JsonMember {
    std::string name;
    Place place;
    LocatedJson value;
};

inline constexpr size_t kMaxConfigBytes = size_t{1} << 20;
inline constexpr size_t kMaxConfigDepth = 64;

// Parses strict JSON (RFC 8259); a key that comes twice in an object is a mistake as well. Throws
// Error(kBadConfig) that begins with source:line:column.
LocatedJson parse_located_json(std::string_view text, const std::string& source);

bool is_utf8(std::string_view text);

// `text` as messages show it: in quotes, on one line, and not at length.
std::string json_quoted(std::string_view text);

}  // namespace polytrain::config
