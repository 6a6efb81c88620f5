#pragma once
// What the sanitizers must be told about fibers, shared memory and order. The run time itself is
// never compiled with -fsanitize=thread, so that what it does orders nothing that it doesn't say;
// it is told by POLYTRAIN_EMULATOR_TSAN that what it runs is.

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define POLYTRAIN_EMULATOR_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef POLYTRAIN_EMULATOR_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_set_fiber_name(void* fiber, const char* name);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void __tsan_read_range(void* address, unsigned long size);
void __tsan_write_range(void* address, unsigned long size);
void __tsan_ignore_thread_begin();
void __tsan_ignore_thread_end();
}
#endif

namespace polytrain::emulator {

// An address that orders: whoever acquires it comes after those who released it before.
struct alignas(8) Order {
    char bytes[8] = {};
#ifdef POLYTRAIN_EMULATOR_TSAN
    void release() {
        __tsan_release(bytes);
    }
    void acquire() {
        __tsan_acquire(bytes);
    }
#else
    void release() {}
    void acquire() {}
#endif
};

// While one lives TSan takes no note of what the fiber that made it reads, writes, allocates and
// frees: the emulator's own memory, which libtsan's malloc and memmove would see even here. Order
// is noted all the same.
struct Quiet {
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;
#ifdef POLYTRAIN_EMULATOR_TSAN
    Quiet() {
        __tsan_ignore_thread_begin();
    }
    ~Quiet() {
        __tsan_ignore_thread_end();
    }
#else
    Quiet() {}
    ~Quiet() {}
#endif
};

inline void note_read([[maybe_unused]] const void* from, [[maybe_unused]] size_t bytes) {
#ifdef POLYTRAIN_EMULATOR_TSAN
    if (bytes > 0) __tsan_read_range(const_cast<void*>(from), bytes);
#endif
}
inline void note_write([[maybe_unused]] void* to, [[maybe_unused]] size_t bytes) {
#ifdef POLYTRAIN_EMULATOR_TSAN
    if (bytes > 0) __tsan_write_range(to, bytes);
#endif
}
inline void poison([[maybe_unused]] const void* from, [[maybe_unused]] size_t bytes) {
#ifdef POLYTRAIN_EMULATOR_ASAN
    __asan_poison_memory_region(from, bytes);
#endif
}
inline void unpoison([[maybe_unused]] const void* from, [[maybe_unused]] size_t bytes) {
#ifdef POLYTRAIN_EMULATOR_ASAN
    __asan_unpoison_memory_region(from, bytes);
#endif
}

// Not memcpy and memset, which libtsan intercepts even here.
inline void copy_bytes(void* to, const void* from, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i)
        static_cast<volatile unsigned char*>(to)[i] = static_cast<const unsigned char*>(from)[i];
}
inline void fill_bytes(void* to, int value, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i)
        static_cast<volatile unsigned char*>(to)[i] = static_cast<unsigned char>(value);
}

}  // namespace polytrain::emulator
