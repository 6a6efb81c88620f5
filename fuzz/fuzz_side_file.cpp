// The input is a side file; and once more with a seal that fits, so that what the seal guards is
// tried as well.

#include <nlohmann/json.hpp>

#include "core/strict_json.hpp"
#include "data/token_file_info.hpp"
#include "fuzz/accepts.hpp"

using namespace polytrain;

namespace {

void parse(std::string_view text) {
    TokenFileInfo info;
    if (!fuzzing::accepts([&] { info = parse_side_file(text, "x.json"); })) return;
    PT_CHECK(info.tokens >= 0 && info.vocab_size >= 1, "{} tokens", info.tokens);
    const std::string again = side_file_text(info);
    PT_CHECK(side_file_text(parse_side_file(again, "x.json")) == again, "changed when written");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    parse(text);
    nlohmann::json object;
    if (!fuzzing::accepts([&] { object = parse_strict_json(text, "x.json", 8); })) return 0;
    if (!object.is_object()) return 0;
    object.erase("seal");
    parse(seal_json(object));
    return 0;
}
