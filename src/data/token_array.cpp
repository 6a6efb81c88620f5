#include "data/token_array.hpp"

#include <algorithm>
#include <bit>

#include "core/checked.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"

namespace polytrain {
namespace {

static_assert(std::endian::native == std::endian::little, "token files are mapped as they are");

// Calls use(ids) with the bytes as an array of the type.
template <class Use>
auto with_ids(TokenType type, const std::byte* bytes, Use&& use) {
    switch (type) {
        case TokenType::kUint16:
            return use(reinterpret_cast<const uint16_t*>(bytes));
        case TokenType::kUint32:
            return use(reinterpret_cast<const uint32_t*>(bytes));
        case TokenType::kInt32:
            return use(reinterpret_cast<const int32_t*>(bytes));
    }
    PT_CHECK(false, "token type {}", static_cast<int>(type));
}

}  // namespace

int64_t bytes_of(TokenType type) {
    return type == TokenType::kUint16 ? 2 : 4;
}

const char* name_of(TokenType type) {
    switch (type) {
        case TokenType::kUint16:
            return "uint16";
        case TokenType::kUint32:
            return "uint32";
        case TokenType::kInt32:
            return "int32";
    }
    PT_CHECK(false, "token type {}", static_cast<int>(type));
}

TokenArray::TokenArray(std::filesystem::path path, MappedFile file, int64_t offset, int64_t tokens,
                       TokenType type)
    : path_(std::move(path)),
      file_(std::move(file)),
      offset_(offset),
      tokens_(tokens),
      type_(type) {
    const auto size = static_cast<int64_t>(file_.bytes().size());
    const std::optional<int64_t> bytes = checked_product({tokens, bytes_of(type)});
    PT_CHECK(0 <= offset && offset <= size && offset % bytes_of(type) == 0 && bytes &&
                 *bytes <= size - offset,
             "{} tokens from byte {} of {}", tokens, offset, size);
}

void TokenArray::read(int64_t begin, int64_t count, int32_t* out) const {
    PT_CHECK(0 <= begin && 0 <= count && count <= tokens_ - begin,
             "tokens {} + {} of {} are asked for", begin, count, tokens_);
    with_ids(type_, data(), [&](const auto* ids) {
        std::transform(ids + begin, ids + begin + count, out,
                       [](auto id) { return static_cast<int32_t>(id); });
    });
}

std::vector<std::string> TokenArray::sweep(int64_t vocab_size,
                                           const std::vector<std::string>* expected) const {
    const int64_t bytes = tokens_ * bytes_of(type_);
    std::vector<std::string> hashes;
    for (int64_t begin = 0; begin < bytes; begin += kTokenChunkBytes) {
        const std::byte* chunk = data() + begin;
        const int64_t size = std::min(kTokenChunkBytes, bytes - begin);
        const int64_t at = offset_ + begin;
        hashes.push_back(content_hash(chunk, static_cast<size_t>(size)));
        if (expected != nullptr && hashes.back() != expected->at(hashes.size() - 1))
            fail(ExitCode::kCorrupt,
                 "{}: bytes {} to {} are not what was written (their hash differs); prepare the "
                 "file again",
                 path_.string(), at, at + size);
        with_ids(type_, chunk, [&](const auto* ids) {
            const auto* end = ids + size / static_cast<int64_t>(sizeof(*ids));
            const auto* bad = std::find_if(
                ids, end, [&](auto id) { return int64_t{id} < 0 || int64_t{id} >= vocab_size; });
            if (bad != end)
                fail(ExitCode::kCorrupt, "{}: token {} at byte {} is outside the vocabulary of {}",
                     path_.string(), *bad, at + (bad - ids) * static_cast<int64_t>(sizeof(*ids)),
                     vocab_size);
        });
    }
    return hashes;
}

}  // namespace polytrain
