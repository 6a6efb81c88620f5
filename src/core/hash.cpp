#include "core/hash.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <new>

namespace polytrain {

namespace {

std::string text_of(XXH128_hash_t hash) {
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}
XXH3_state_t* xxh3(void* state) {
    return static_cast<XXH3_state_t*>(state);
}

}  // namespace

std::string content_hash(const void* data, size_t bytes) {
    return text_of(XXH3_128bits(data, bytes));
}

ContentHasher::ContentHasher() : state_(XXH3_createState()) {
    if (state_ == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(xxh3(state_));
}
ContentHasher::~ContentHasher() {
    XXH3_freeState(xxh3(state_));
}
void ContentHasher::add(const void* data, size_t bytes) {
    XXH3_128bits_update(xxh3(state_), data, bytes);
}
std::string ContentHasher::text() const {
    return text_of(XXH3_128bits_digest(xxh3(state_)));
}

}  // namespace polytrain
