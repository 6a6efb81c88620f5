#pragma once
// JSON from files that may be damaged or hostile, and JSON that tells when it was changed.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace polytrain {

// Parses one JSON value. Duplicate keys and nesting deeper than `max_depth` are refused before they
// cost memory or stack. Throws exit 65; `where` (a path) begins the message.
nlohmann::json parse_strict_json(std::string_view text, std::string_view where, int max_depth);

// A sealed document is an object whose key "seal" is the content hash of the object without it, in
// exactly the form that seal_json() writes: any changed, lost or added byte is found.
std::string seal_json(nlohmann::json object);

// A sealed document's text back as the object without its seal. Damaged: exit 65; `where` (a path)
// begins the message.
nlohmann::json parse_sealed_json(std::string_view text, std::string_view where);
// The same of a file. Missing: exit 66.
nlohmann::json read_sealed_json(const std::filesystem::path& path, uint64_t limit);

}  // namespace polytrain
