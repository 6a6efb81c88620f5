#include <fmt/format.h>

#include "config/describe.hpp"

namespace polytrain::config {
namespace {

constexpr std::string_view kIntroduction = R"(# Config

<!-- Written by `polytrain config schema --markdown`. -->

A run is one JSON file. Every key has a default but `path` in `data.train`; a key that is not on
this page is an error. `polytrain config explain KEY` prints the same, and
`polytrain config show FILE` prints a config with all that it extends and every default filled in.
)";

// The cell of a table must not end early.
std::string cell(std::string_view text) {
    std::string escaped;
    for (char c : text) escaped += c == '|' ? "\\|" : std::string(1, c);
    return escaped;
}

std::string code(const std::string& text) {
    return text.empty() ? "" : "`" + text + "`";
}

std::string doc_cell(const ConfigKey& key) {
    std::string text = cell(key.doc);
    if (!key.unit.empty()) text += fmt::format(" Unit: {}.", key.unit);
    return text;
}

// The section's own keys in a table, then a part for each section in it.
void write_section(const ConfigKey& section, const std::string& path, std::string& page) {
    page += path.empty() ? "" : fmt::format("\n## {}\n\n{}\n", path, section.doc);
    page += "\n| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n";
    for (const ConfigKey& key : section.keys)
        if (key.keys.empty())
            page += fmt::format("| `{}` | {} | {} | {} | {} |\n", key.name, key.type_text(),
                                key.required ? "required" : code(key.default_text().value_or("")),
                                cell(key.allowed_text()), doc_cell(key));
    for (const ConfigKey& key : section.keys)
        if (!key.keys.empty())
            write_section(key, path.empty() ? key.name : path + "." + key.name, page);
}

}  // namespace

std::string markdown_of(const ConfigKey& table) {
    std::string page(kIntroduction);
    write_section(table, "", page);
    return page;
}

}  // namespace polytrain::config
