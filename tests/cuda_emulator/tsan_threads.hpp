#pragma once
// The TSan fibers that stand for CUDA threads: each stream has its own, in two sets that take turns
// between blocks, so that TSan knows no order but what is annotated.

#include <map>
#include <vector>

#include "cuda_emulator/annotations.hpp"
#include "cuda_emulator/execution.hpp"

namespace polytrain::emulator {

class TsanThreads {
  public:
#ifdef POLYTRAIN_EMULATOR_TSAN
    static constexpr bool kEnabled = true;
    // The fiber that runs now is what launches: the stream's, or the host's.
    void begin_grid() {
        main_ = __tsan_get_current_fiber();
    }
    void* of(int thread, int set) {
        std::vector<void*>& all = of_launcher_[main_][set];
        while (all.size() <= static_cast<size_t>(thread)) {
            all.push_back(__tsan_create_fiber(0));
            __tsan_set_fiber_name(all.back(), "CUDA thread");
        }
        return all[static_cast<size_t>(thread)];
    }
    // Null: back to the launcher.
    void switch_to(void* fiber) {
        __tsan_switch_to_fiber(fiber != nullptr ? fiber : main_, 1);
    }

  private:
    void* main_ = nullptr;
    std::map<void*, std::vector<void*>[2]> of_launcher_;
#else
    static constexpr bool kEnabled = false;
    void begin_grid() {}
    void* of(int, int) {
        return nullptr;
    }
    void switch_to(void*) {}
#endif
};

}  // namespace polytrain::emulator
