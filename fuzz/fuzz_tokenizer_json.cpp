// The input is a tokenizer.json, a byte 0, and a text: the file is refused, or encodes the text the
// same way in one part and in many.

#include "data/tokenizer/bpe_tokenizer.hpp"
#include "fuzz/accepts.hpp"

using namespace polytrain;

namespace {

// A pattern that backtracks on a text is a damaged input, too.
bool encode(const Tokenizer& tokenizer, std::string_view text, size_t part,
            std::vector<int32_t>& ids) {
    return fuzzing::accepts([&] {
        const auto encoder = tokenizer.make_encoder();
        for (; text.size() > part; text.remove_prefix(part))
            encoder->encode(text.substr(0, part), false, ids);
        encoder->encode(text, true, ids);
    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const size_t end = std::min(input.find('\0'), size);
    std::unique_ptr<Tokenizer> tokenizer;
    try {
        tokenizer = make_bpe_tokenizer(std::string(input.substr(0, end)), "x.json");
    } catch (const Error& error) {
        if (error.code() != ExitCode::kCorrupt && error.code() != ExitCode::kBadConfig) throw;
        return 0;
    }
    const std::string_view text = input.substr(std::min(size, end + 1));
    std::vector<int32_t> ids, in_parts;
    if (!encode(*tokenizer, text, size + 1, ids) || !encode(*tokenizer, text, 3, in_parts))
        return 0;
    PT_CHECK(ids == in_parts, "the ids depend on the parts");
    for (const int32_t id : ids) PT_CHECK(0 <= id && id < tokenizer->vocab_size(), "id {}", id);
    static_cast<void>(tokenizer->decode(ids));
    return 0;
}
