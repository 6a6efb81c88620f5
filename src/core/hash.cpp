#include "core/hash.hpp"

#include <fmt/format.h>
#include <xxhash.h>

namespace polytrain {

std::string content_hash(const void* data, size_t bytes) {
    const XXH128_hash_t hash = XXH3_128bits(data, bytes);
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace polytrain
