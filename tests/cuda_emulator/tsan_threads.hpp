#pragma once
// The TSan fibers that stand for CUDA threads and streams, so that TSan knows no order between them
// but what is annotated.

#include <vector>

#include "cuda_emulator/annotations.hpp"

namespace polytrain::emulator {

class TsanThreads {
  public:
#ifdef POLYTRAIN_EMULATOR_TSAN
    static constexpr bool kEnabled = true;
    static void* make(const char* name) {
        void* fiber = __tsan_create_fiber(0);
        __tsan_set_fiber_name(fiber, name);
        return fiber;
    }
    // The fiber that runs now is what launches: the stream's, or the host's.
    void begin_grid() {
        main_ = __tsan_get_current_fiber();
    }
    void* launcher() const {
        return main_;
    }
    // Null: back to the launcher. Of itself a switch orders nothing.
    void switch_to(void* fiber) const {
        constexpr unsigned kNoSync = 1;
        __tsan_switch_to_fiber(fiber != nullptr ? fiber : main_, kNoSync);
    }

  private:
    void* main_ = nullptr;
#else
    static constexpr bool kEnabled = false;
    static void* make(const char*) {
        return nullptr;
    }
    void begin_grid() {}
    void* launcher() const {
        return nullptr;
    }
    void switch_to(void*) const {}
#endif
};

}  // namespace polytrain::emulator
