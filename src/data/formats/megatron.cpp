#include "data/formats/megatron.hpp"

#include <string_view>

#include "core/hash.hpp"
#include "data/formats/fields.hpp"
#include "data/formats/mapped_tokens.hpp"

namespace polytrain {
namespace {

constexpr std::string_view kMagic("MMIDIDX\0\0", 9);
constexpr size_t kVersionAt = 9, kTypeAt = 17, kSequencesAt = 18, kDocumentsAt = 26, kSizesAt = 34;

TokenType type_of(uint8_t code, const std::string& name) {
    if (code == 8) return TokenType::kUint16;
    if (code == 4) return TokenType::kInt32;
    refuse_field(name, kTypeAt, "dtype code {}; Megatron writes ids as 8 (uint16) or 4 (int32)",
                 code);
}

// A parsed header: counts that the file's length agrees with.
struct Header {
    TokenType type;
    size_t sequences, documents;

    size_t size_at(size_t i) const { return kSizesAt + 4 * i; }
    size_t pointer_at(size_t i) const { return kSizesAt + 4 * sequences + 8 * i; }
    size_t document_at(size_t i) const { return kSizesAt + 12 * sequences + 8 * i; }
};

Header parse_header(std::span<const std::byte> index, const std::string& name) {
    const auto matches = [&](size_t i) {
        return i < index.size() && index[i] == static_cast<std::byte>(kMagic[i]);
    };
    for (size_t i = 0; i < kMagic.size(); ++i)
        if (!matches(i)) refuse_field(name, i, "not a Megatron index (\"MMIDIDX\" begins one)");
    if (index.size() < kSizesAt)
        refuse_field(name, index.size(), "the file ends within its header of {} bytes", kSizesAt);
    const auto version = field_at<uint64_t>(index, kVersionAt);
    if (version != 1) refuse_field(name, kVersionAt, "version {}; wants version 1", version);
    const auto sequences = field_at<uint64_t>(index, kSequencesAt);
    const auto documents = field_at<uint64_t>(index, kDocumentsAt);
    // Bounded before they are multiplied: 12 and 8 bytes for each.
    if (sequences > index.size() / 12)
        refuse_field(name, kSequencesAt, "{} sequences don't fit into {} bytes", sequences,
                     index.size());
    if (documents == 0 || documents > index.size() / 8)
        refuse_field(name, kDocumentsAt, "{} entries of the document index can't be in {} bytes",
                     documents, index.size());
    const Header header{type_of(field_at<uint8_t>(index, kTypeAt), name), sequences, documents};
    if (header.document_at(documents) != index.size())
        refuse_field(name, kSequencesAt,
                     "{} sequences and {} document entries make {} bytes, but the file has {}",
                     sequences, documents, header.document_at(documents), index.size());
    return header;
}

// Sequences must follow each other without a gap. Returns where the last one ends.
int64_t check_sequences(const Header& header, std::span<const std::byte> index, int64_t bin_bytes,
                        const std::string& name) {
    int64_t end = 0;
    for (size_t i = 0; i < header.sequences; ++i) {
        const auto size = field_at<int32_t>(index, header.size_at(i));
        if (size < 0) refuse_field(name, header.size_at(i), "sequence {} of size {}", i, size);
        const auto pointer = field_at<int64_t>(index, header.pointer_at(i));
        if (pointer != end)
            refuse_field(name, header.pointer_at(i),
                         "sequence {} starts at byte {}, but the sizes before it make {}", i,
                         pointer, end);
        end += size * bytes_of(header.type);
        if (end > bin_bytes)
            refuse_field(name, header.size_at(i),
                         "sequence {} of {} tokens ends at byte {} of the .bin, which has {}", i,
                         size, end, bin_bytes);
    }
    return end;
}

void check_documents(const Header& header, std::span<const std::byte> index,
                     const std::string& name) {
    int64_t previous = -1;
    for (size_t i = 0; i < header.documents; ++i) {
        const size_t at = header.document_at(i);
        const auto sequence = field_at<int64_t>(index, at);
        if (i == 0 && sequence != 0)
            refuse_field(name, at, "the first document starts at sequence {}", sequence);
        if (sequence <= previous)
            refuse_field(name, at, "document entry {} is {}, which doesn't follow {}", i, sequence,
                         previous);
        previous = sequence;
    }
    if (previous != static_cast<int64_t>(header.sequences))
        refuse_field(name, header.document_at(header.documents - 1),
                     "the document index ends at sequence {} of {}", previous, header.sequences);
}

}  // namespace

MegatronIndex parse_megatron_index(std::span<const std::byte> index, int64_t bin_bytes,
                                   const std::string& name) {
    const Header header = parse_header(index, name);
    const int64_t end = check_sequences(header, index, bin_bytes, name);
    if (end != bin_bytes)
        refuse_field(name, kSizesAt,
                     "the {} sizes from here make {} bytes of ids, but the .bin has {}",
                     header.sequences, end, bin_bytes);
    check_documents(header, index, name);
    return {header.type, static_cast<int64_t>(header.sequences),
            static_cast<int64_t>(header.documents) - 1, end / bytes_of(header.type)};
}

std::filesystem::path megatron_index_of(const std::filesystem::path& path) {
    std::filesystem::path index = path;
    if (path.extension() == ".bin" || path.extension() == ".idx")
        return index.replace_extension(".idx");
    return index += ".idx";
}

std::unique_ptr<TokenSource> open_megatron(const std::filesystem::path& path, int64_t vocab_size) {
    const std::filesystem::path idx = megatron_index_of(path);
    const std::filesystem::path bin = std::filesystem::path(idx).replace_extension(".bin");
    const MappedFile index_file(idx);
    const std::span<const std::byte> bytes = index_file.bytes();
    MappedFile bin_file(bin);
    const MegatronIndex index =
        parse_megatron_index(bytes, static_cast<int64_t>(bin_file.bytes().size()), idx.string());
    return std::make_unique<MappedTokens>(
        "megatron " + content_hash(bytes.data(), bytes.size()),
        TokenArray(bin, std::move(bin_file), 0, index.tokens, index.type), vocab_size);
}

}  // namespace polytrain
