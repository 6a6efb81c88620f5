#include "cuda_emulator/memory.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <map>

#include "cuda_emulator/annotations.hpp"
#include "cuda_emulator/execution.hpp"

namespace polytrain::emulator {
namespace {

constexpr size_t kTotal = size_t{8} << 30;       // what the device says it has
constexpr size_t kAddresses = size_t{64} << 30;  // and the range that it is spread over
constexpr size_t kAlignment = 256;

struct Memory {
    unsigned char* base = nullptr;
    std::map<const unsigned char*, size_t> live;  // by address, in bytes
    size_t used = 0, top = 0;
    int accesses = 0;

    Memory() {
        void* range = ::mmap(nullptr, kAddresses, PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (range == MAP_FAILED) die("no addresses for device memory");
        base = static_cast<unsigned char*>(range);
    }
    // A gap that holds `bytes` and a red zone, first fit.
    unsigned char* find(size_t bytes) const {
        const unsigned char* at = base;
        for (const auto& [data, size] : live) {
            if (static_cast<size_t>(data - at) >= bytes) break;
            at = data + padded(size);
        }
        return static_cast<size_t>(base + kAddresses - at) >= bytes ? base + (at - base) : nullptr;
    }
    static size_t padded(size_t bytes) {
        return (bytes + 2 * kAlignment - 1) / kAlignment * kAlignment;
    }
    const std::pair<const unsigned char* const, size_t>* holding(const void* address) const {
        const auto* at = static_cast<const unsigned char*>(address);
        auto after = live.upper_bound(at);
        if (after == live.begin()) return nullptr;
        --after;
        return at < after->first + after->second || at == after->first ? &*after : nullptr;
    }
};

Memory& memory() {
    static Memory one;
    return one;
}

}  // namespace

DeviceAccess::DeviceAccess() {
    if (memory().accesses++ == 0) ::mprotect(memory().base, kAddresses, PROT_READ | PROT_WRITE);
}
DeviceAccess::~DeviceAccess() {
    if (--memory().accesses == 0) ::mprotect(memory().base, kAddresses, PROT_NONE);
}

void* allocate_device(size_t bytes) {
    Memory& all = memory();
    if (bytes > kTotal - all.used) return nullptr;
    unsigned char* data = all.find(Memory::padded(bytes));
    if (data == nullptr) return nullptr;
    all.live[data] = bytes;
    all.used += bytes;
    const DeviceAccess access;
    unpoison(data, bytes);
    fill_bytes(data, 0xFF, bytes);
    note_write(data, bytes);
    poison(data + bytes, Memory::padded(bytes) - bytes);
    return data;
}

void free_device(void* data) {
    Memory& all = memory();
    const auto found = all.live.find(static_cast<unsigned char*>(data));
    if (found == all.live.end()) die("cudaFree of %p, which is no allocation", data);
    note_write(data, found->second);
    poison(data, found->second);
    all.used -= found->second;
    all.live.erase(found);
}

bool is_device(const void* address) {
    return memory().holding(address) != nullptr;
}
size_t device_bytes_free() {
    return kTotal - memory().used;
}
size_t device_bytes_total() {
    return kTotal;
}

void check_kernel_pointer(const void* pointer, int argument) {
    if (pointer != nullptr && !is_device(pointer))
        die("argument %d of a kernel is %p, which isn't device memory", argument, pointer);
}

void check_device_range(const void* pointer, size_t bytes, const char* what) {
    if (bytes == 0) return;
    const auto* found = memory().holding(pointer);
    const auto* at = static_cast<const unsigned char*>(pointer);
    if (found == nullptr || at + bytes > found->first + found->second)
        die("%s: [%p, +%zu) isn't in one device allocation", what, pointer, bytes);
}

}  // namespace polytrain::emulator
