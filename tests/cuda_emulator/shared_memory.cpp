#include "cuda_emulator/shared_memory.hpp"

#include <cstdlib>

#include "cuda_emulator/annotations.hpp"

namespace polytrain::emulator {
namespace {

// Between arrays, so that an index past the end of one is seen.
constexpr size_t kRedZone = 128;
constexpr size_t kCapacity = size_t{512} << 10;

}  // namespace

unsigned char* SharedMemory::make() {
    auto* memory = static_cast<unsigned char*>(std::aligned_alloc(1024, kCapacity));
    poison(memory, kCapacity);
    return memory;
}

void SharedMemory::begin_block(unsigned char* memory) {
    memory_ = memory;
    used_ = claimed_ = 0;
    arrays_.clear();
}

void SharedMemory::end_block() {
    for (const Array& array : arrays_) poison(array.data, array.bytes);
}

void* SharedMemory::add(const void* key, size_t bytes) {
    for (const Array& array : arrays_)
        if (array.key == key) return array.data;
    claimed_ += bytes;
    if (claimed_ > kMostShared)
        die("a block has %zu bytes of shared memory, %zu at most", claimed_, kMostShared);
    unsigned char* data = memory_ + used_;
    used_ = (used_ + bytes + 2 * kRedZone - 1) / kRedZone * kRedZone;
    if (used_ > kCapacity) die("too many shared arrays");
    unpoison(data, bytes);
    fill_bytes(data, 0xFF, bytes);
    arrays_.push_back({key, data, bytes});
    return data;
}

void* SharedMemory::array(const void* key, size_t bytes) {
    if (bytes > kMostStaticShared)
        die("a shared array of %zu bytes; %zu at most, more only by the launch", bytes,
            kMostStaticShared);
    return add(key, bytes);
}

void* SharedMemory::dynamic() {
    static const char kKey = 0;
    return add(&kKey, dynamic_bytes_);
}

void SharedMemory::check(const void* address, size_t bytes, Place place) const {
    const auto* at = static_cast<const unsigned char*>(address);
    for (const Array& array : arrays_)
        if (at >= array.data && at + bytes <= array.data + array.bytes) return;
    die("%s:%d: an address outside the block's shared arrays", place.file, place.line);
}

}  // namespace polytrain::emulator
