#include "data/formats/headerless.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "data/formats/fields.hpp"
#include "data/formats/mapped_tokens.hpp"

namespace polytrain {
namespace {

constexpr std::string_view kNumpyMagic = "\x93NUMPY";
// So many ids in a row with an upper half of 0 are no accident.
constexpr size_t kTellingIds = 64;

// Whether the first ids, taken as 4 bytes each, all are below 65,536: what uint16 ids hardly make.
bool looks_like_uint32(std::span<const std::byte> bytes) {
    if (bytes.size() < 4 * kTellingIds || bytes.size() % 4 != 0) return false;
    bool any_low = false;
    for (size_t i = 0; i < kTellingIds; ++i) {
        const auto id = field_at<uint32_t>(bytes, 4 * i);
        if (id > 0xffff) return false;
        any_low |= id != 0;
    }
    return any_low;
}

}  // namespace

int64_t parse_headerless(std::span<const std::byte> bytes, TokenType type,
                         const std::string& name) {
    if (bytes.size() >= kNumpyMagic.size() &&
        std::memcmp(bytes.data(), kNumpyMagic.data(), kNumpyMagic.size()) == 0)
        refuse_field(name, 0,
                     "a numpy file with a header; wants the bare ids, as `dolma tokens` or numpy's "
                     "tofile() write them");
    const auto width = static_cast<size_t>(bytes_of(type));
    if (bytes.size() % width != 0)
        refuse_field(name, bytes.size() / width * width,
                     "the file ends within an id: {} bytes are no multiple of {} ({})",
                     bytes.size(), width, name_of(type));
    if (width == 2 && looks_like_uint32(bytes))
        refuse_field(
            name, 2,
            "every other id is 0: these are 4-byte ids read as 2-byte ones; set \"dtype\": "
            "\"uint32\" beside the path");
    return static_cast<int64_t>(bytes.size() / width);
}

std::unique_ptr<TokenSource> open_headerless(const std::filesystem::path& path, TokenType type,
                                             int64_t vocab_size) {
    MappedFile file(path);
    const int64_t tokens = parse_headerless(file.bytes(), type, path.string());
    return std::make_unique<MappedTokens>(
        "headerless", TokenArray(path, std::move(file), 0, tokens, type), vocab_size);
}

}  // namespace polytrain
