// The input is JSON lines: refused, or read the same way in one part and in many; and what is read
// is what another parser reads.

#include <nlohmann/json.hpp>

#include "data/text/jsonl_parser.hpp"
#include "fuzz/accepts.hpp"

using namespace polytrain;

namespace {

bool parse(std::string_view input, size_t part, JsonlText& out) {
    return fuzzing::accepts([&] {
        JsonlParser parser("x.jsonl", "text");
        for (; input.size() > part; input.remove_prefix(part))
            parser.parse(input.substr(0, part), out);
        parser.parse(input, out);
        parser.finish(out);
    });
}

// Of one line that was accepted. What nlohmann refuses for its bytes or surrogates, we keep.
void compare(std::string_view line, std::string_view text) {
    const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
    if (object.is_discarded()) return;
    PT_CHECK(object.is_object() && object.contains("text"), "{}", line);
    PT_CHECK(object["text"].get_ref<const std::string&>() == text, "{}", line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    JsonlText whole, in_parts;
    const bool good = parse(input, size + 1, whole);
    PT_CHECK(parse(input, 3, in_parts) == good, "accepted or not, by the parts");
    if (!good) return 0;
    PT_CHECK(whole.text == in_parts.text && whole.lines.size() == in_parts.lines.size(),
             "the text depends on the parts");
    size_t text_begin = 0;
    int64_t line_begin = 0;
    for (const JsonlLine& line : whole.lines) {
        if (line.lone_surrogates == 0)
            compare(input.substr(static_cast<size_t>(line_begin),
                                 static_cast<size_t>(line.end_offset - line_begin)),
                    std::string_view(whole.text).substr(text_begin, line.text_end - text_begin));
        text_begin = line.text_end;
        line_begin = line.end_offset;
    }
    return 0;
}
