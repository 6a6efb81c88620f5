// The input is an index and, in its last 8 bytes, the length of the .bin.

#include <cstring>

#include "data/formats/megatron.hpp"
#include "fuzz/accepts.hpp"

using namespace polytrain;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    int64_t bin_bytes = 0;
    if (size < sizeof(bin_bytes)) return 0;
    size -= sizeof(bin_bytes);
    std::memcpy(&bin_bytes, data + size, sizeof(bin_bytes));
    if (bin_bytes < 0) return 0;
    const auto index = std::as_bytes(std::span(data, size));
    MegatronIndex parsed;
    if (!fuzzing::accepts([&] { parsed = parse_megatron_index(index, bin_bytes, "x.idx"); }))
        return 0;
    // What was accepted must account for every byte.
    const auto header_and_lists = 34 + 12 * parsed.sequences + 8 * (parsed.documents + 1);
    PT_CHECK(header_and_lists == static_cast<int64_t>(size), "{} bytes", size);
    PT_CHECK(parsed.tokens * bytes_of(parsed.type) == bin_bytes, "{} tokens", parsed.tokens);
    return 0;
}
