#include "data/token_file.hpp"

#include <algorithm>
#include <bit>

#include "core/checked.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"

namespace polytrain {
namespace {

static_assert(std::endian::native == std::endian::little, "token files are mapped as they are");

// Calls use(tokens) with the bytes as an array of the file's token type.
template <class Use>
auto with_tokens(int64_t token_bytes, const std::byte* bytes, Use&& use) {
    return token_bytes == 2 ? use(reinterpret_cast<const uint16_t*>(bytes))
                            : use(reinterpret_cast<const uint32_t*>(bytes));
}

}  // namespace

TokenFile::TokenFile(std::filesystem::path bin)
    : bin_(std::move(bin)), info_(read_side_file(side_file_of(bin_))), file_(bin_) {
    const auto found = static_cast<int64_t>(file_.bytes().size());
    const std::optional<int64_t> expected = checked_product({info_.tokens, info_.token_bytes()});
    if (expected != found)
        fail(ExitCode::kCorrupt, "{}: {} bytes, but {} says {} tokens of {} bytes each",
             bin_.string(), found, side_file_of(bin_).string(), info_.tokens, info_.token_bytes());
    const int64_t chunks = ceil_div(found, kTokenChunkBytes);
    if (chunks != static_cast<int64_t>(info_.chunks.size()))
        fail(ExitCode::kCorrupt, "{}: {} chunk hashes for {} chunks", side_file_of(bin_).string(),
             info_.chunks.size(), chunks);
    verify();
}

void TokenFile::verify() const {
    const std::span<const std::byte> bytes = file_.bytes();
    for (size_t i = 0; i < info_.chunks.size(); ++i) {
        const size_t begin = i * kTokenChunkBytes;
        const auto chunk =
            bytes.subspan(begin, std::min<size_t>(kTokenChunkBytes, bytes.size() - begin));
        if (content_hash(chunk.data(), chunk.size()) != info_.chunks[i])
            fail(ExitCode::kCorrupt,
                 "{}: bytes {} to {} are not what was written (their hash differs); prepare the "
                 "file again",
                 bin_.string(), begin, begin + chunk.size());
        with_tokens(info_.token_bytes(), chunk.data(), [&](const auto* ids) {
            const auto* end = ids + chunk.size() / sizeof(*ids);
            const auto* bad =
                std::find_if(ids, end, [&](auto id) { return int64_t{id} >= info_.vocab_size; });
            if (bad != end)
                fail(ExitCode::kCorrupt, "{}: token {} at byte {} is outside the vocabulary of {}",
                     bin_.string(), *bad, begin + static_cast<size_t>(bad - ids) * sizeof(*ids),
                     info_.vocab_size);
        });
    }
}

void TokenFile::read(int64_t begin, int64_t count, int32_t* out) const {
    PT_CHECK(0 <= begin && 0 <= count && count <= info_.tokens - begin,
             "tokens {} + {} of {} are asked for", begin, count, info_.tokens);
    with_tokens(info_.token_bytes(), file_.bytes().data(), [&](const auto* ids) {
        std::transform(ids + begin, ids + begin + count, out,
                       [](auto id) { return static_cast<int32_t>(id); });
    });
}

std::string TokenFile::fingerprint() const {
    std::string text = fmt::format("{} {} {} {}", info_.tokenizer_fingerprint, info_.vocab_size,
                                   info_.tokens, info_.documents.size());
    for (const std::string& chunk : info_.chunks) text += "\n" + chunk;
    return content_hash(text);
}

}  // namespace polytrain
