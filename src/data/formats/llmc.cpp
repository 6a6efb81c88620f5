#include "data/formats/llmc.hpp"

#include <algorithm>

#include "data/formats/fields.hpp"
#include "data/formats/mapped_tokens.hpp"

namespace polytrain {
namespace {

constexpr int32_t kEvaluationMagic = 20240522;

struct Kind {
    int32_t magic, version;
    TokenType type;
};
constexpr Kind kKinds[] = {{20240520, 1, TokenType::kUint16}, {20240801, 7, TokenType::kUint32}};

const Kind* kind_of(int32_t magic) {
    const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                    [&](const Kind& known) { return known.magic == magic; });
    return kind == std::end(kKinds) ? nullptr : kind;
}

}  // namespace

bool begins_like_llmc(std::span<const std::byte> bytes) {
    if (bytes.size() < 4) return false;
    const auto magic = field_at<int32_t>(bytes, 0);
    return magic == kEvaluationMagic || kind_of(magic) != nullptr;
}

LlmcHeader parse_llmc(std::span<const std::byte> bytes, const std::string& name) {
    const auto size = static_cast<int64_t>(bytes.size());
    if (size < kLlmcHeaderBytes)
        refuse_field(name, bytes.size(), "the file ends within an llm.c header of {} bytes",
                     kLlmcHeaderBytes);
    const auto word = [&](size_t i) { return field_at<int32_t>(bytes, 4 * i); };
    if (word(0) == kEvaluationMagic)
        refuse_field(name, 0,
                     "an llm.c evaluation file (magic {}), which holds questions and their "
                     "answers, not a stream of tokens",
                     kEvaluationMagic);
    const Kind* kind = kind_of(word(0));
    if (kind == nullptr)
        refuse_field(name, 0, "magic {}; llm.c's shards have {} or {}", word(0), kKinds[0].magic,
                     kKinds[1].magic);
    if (word(1) != kind->version)
        refuse_field(name, 4, "version {}; wants {}", word(1), kind->version);
    const int64_t tokens = word(2);
    for (size_t i = 3; i < 256; ++i)
        if (word(i) != 0)
            refuse_field(name, 4 * i, "header word {} is {}; llm.c leaves it 0", i, word(i));
    const int64_t wanted = kLlmcHeaderBytes + tokens * bytes_of(kind->type);
    if (wanted != size)
        refuse_field(name, 8, "{} tokens make {} bytes with the header, but the file has {}",
                     tokens, wanted, size);
    return {kind->type, tokens};
}

std::unique_ptr<TokenSource> open_llmc(const std::filesystem::path& path, int64_t vocab_size) {
    MappedFile file(path);
    const LlmcHeader header = parse_llmc(file.bytes(), path.string());
    return std::make_unique<MappedTokens>(
        "llmc", TokenArray(path, std::move(file), kLlmcHeaderBytes, header.tokens, header.type),
        vocab_size);
}

}  // namespace polytrain
