#pragma once
// Token files as other programs write them, byte by byte.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace polytrain::testing {

// Little-endian numbers, one after the other.
template <class T, class Values>
std::string packed(const Values& values) {
    std::string bytes;
    for (const auto value : values) {
        const T typed = static_cast<T>(value);
        bytes.append(reinterpret_cast<const char*>(&typed), sizeof(T));
    }
    return bytes;
}

inline void put(std::string& bytes, size_t at, std::string_view field) {
    bytes.replace(at, field.size(), field);
}

// X.idx for sequences of these sizes; each is a document where `documents` is empty.
inline std::string megatron_index(uint8_t code, const std::vector<int32_t>& sizes,
                                  std::vector<int64_t> documents = {}) {
    if (documents.empty())
        for (size_t i = 0; i <= sizes.size(); ++i) documents.push_back(static_cast<int64_t>(i));
    std::vector<int64_t> pointers;
    int64_t end = 0;
    for (const int32_t size : sizes) {
        pointers.push_back(end);
        end += int64_t{size} * (code == 8 ? 2 : 4);
    }
    return std::string("MMIDIDX\0\0", 9) + packed<uint64_t>(std::vector{1}) +
           packed<uint8_t>(std::vector{code}) + packed<uint64_t>(std::vector{sizes.size()}) +
           packed<uint64_t>(std::vector{documents.size()}) + packed<int32_t>(sizes) +
           packed<int64_t>(pointers) + packed<int64_t>(documents);
}

// A shard of llm.c's: `llama` for the 4-byte kind.
inline std::string llmc_shard(const std::vector<int32_t>& ids, bool llama) {
    std::vector<int32_t> header(256);
    header[0] = llama ? 20240801 : 20240520;
    header[1] = llama ? 7 : 1;
    header[2] = static_cast<int32_t>(ids.size());
    return packed<int32_t>(header) + (llama ? packed<uint32_t>(ids) : packed<uint16_t>(ids));
}

}  // namespace polytrain::testing
