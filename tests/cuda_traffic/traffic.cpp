#include "cuda_traffic/traffic.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>

#include "cuda_emulator/execution.hpp"
#include "cuda_emulator/memory.hpp"

namespace polytrain::traffic {
namespace {

// How often each lane of a warp came to an address.
struct Visits {
    std::array<uint16_t, 32> of_lane{};
    uint16_t most = 0;
};

class Counter {
  public:
    void note(const void* address, size_t bytes, bool is_write) {
        const emulator::Thread* thread = emulator::current;
        if (thread == nullptr || !emulator::is_device(address)) return;
        if (thread->block.x != block_) {  // blocks run one after another
            visits_.clear();
            block_ = thread->block.x;
        }
        const auto at = reinterpret_cast<uintptr_t>(address);
        const unsigned warp = thread->index.x / 32;
        Visits& visits = visits_[at << 7 | warp << 1 | (is_write ? 1u : 0u)];
        const uint16_t own = ++visits.of_lane[static_cast<size_t>(thread->lane)];
        if (own <= visits.most) return;
        visits.most = own;
        (is_write ? total_.written : total_.read) += bytes;
    }
    void reset() {
        total_ = {};
        visits_.clear();
    }
    const Traffic& total() const { return total_; }

  private:
    Traffic total_;
    unsigned block_ = ~0u;
    std::unordered_map<uintptr_t, Visits> visits_;
};

Counter& counter() {
    static Counter one;
    return one;
}

}  // namespace

void reset() {
    counter().reset();
}
Traffic counted() {
    return counter().total();
}

}  // namespace polytrain::traffic

// What the compiler calls.
extern "C" {
#define COUNT(name, bytes, is_write)                                  \
    void name(void* address) {                                        \
        polytrain::traffic::counter().note(address, bytes, is_write); \
    }
#define COUNT_BOTH(bytes)                             \
    COUNT(__tsan_read##bytes, bytes, false)           \
    COUNT(__tsan_write##bytes, bytes, true)           \
    COUNT(__tsan_unaligned_read##bytes, bytes, false) \
    COUNT(__tsan_unaligned_write##bytes, bytes, true) \
    COUNT(__tsan_volatile_read##bytes, bytes, false)  \
    COUNT(__tsan_volatile_write##bytes, bytes, true)
COUNT_BOTH(1)
COUNT_BOTH(2)
COUNT_BOTH(4)
COUNT_BOTH(8)
COUNT_BOTH(16)
void __tsan_read_range(void* address, size_t bytes) {
    polytrain::traffic::counter().note(address, bytes, false);
}
void __tsan_write_range(void* address, size_t bytes) {
    polytrain::traffic::counter().note(address, bytes, true);
}
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
}
