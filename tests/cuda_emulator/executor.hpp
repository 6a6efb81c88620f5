#pragma once
// The scheduler of fibers: one block at a time, each CUDA thread a fiber that runs until it waits.

#include <array>
#include <boost/context/detail/fcontext.hpp>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "cuda_emulator/annotations.hpp"
#include "cuda_emulator/execution.hpp"
#include "cuda_emulator/shared_memory.hpp"
#include "cuda_emulator/tsan_threads.hpp"

namespace polytrain::emulator {

enum class State : uint8_t { kReady, kAtBarrier, kInMeeting, kDone };

struct Warp;
struct Copy {
    void* to;
    const void* from;
    int bytes, valid, group;
};
struct Fiber {
    Thread thread{};
    boost::context::detail::fcontext_t context{};
    char* stack = nullptr;
    int linear = 0;
    Warp* warp = nullptr;
    State state = State::kReady;
    Place place{};       // of the call that it waits in
    const char* kind{};  // of that call
    unsigned mask = 0;
    // What it brings to a meeting, and takes from it.
    alignas(16) std::array<unsigned char, 16> in{}, out{};
    int source = 0;
    std::array<void*, 3> operands{};
    std::vector<Copy> copies;  // cp.async that it has not waited for
    int copy_group = 0;
    void* tsan = nullptr;
};

// Order by turns: who is late leaving one meeting must not come after those at the next already.
struct Turns {
    std::array<Order, 2> order;
    unsigned passed = 0;
    Order& now() { return order[passed % 2]; }
    Order& before() { return order[(passed + 1) % 2]; }
};
struct Warp {
    std::array<Fiber*, 32> fibers{};
    unsigned live = 0, arrived = 0;
    // Of __syncwarp, for each mask: lanes of one mask order those of no other.
    std::vector<std::pair<unsigned, std::unique_ptr<Turns>>> syncs;
    Turns& sync(unsigned mask);
};

class Executor {
  public:
    Executor() : random_(schedule().seed) {}
    void run(dim3 grid, dim3 block, size_t dynamic_bytes, const std::function<void()>& body);
    void barrier(Place place);
    // Waits for the other lanes of `mask`; the last calls work(warp) for all.
    template <class F>
    void meet(unsigned mask, const char* kind, Place place, F&& work) {
        const Quiet quiet;
        Warp* warp = arrive(mask, kind, place);
        if (warp != nullptr) {
            work(*warp);
            release_meeting(*warp, mask);
        }
        leave(running_);
    }
    void sync_warp(unsigned mask, Place place);
    Fiber& fiber() { return *running_; }
    SharedMemory& shared() { return shared_; }
    void reseed(uint64_t seed) { random_.seed(seed); }

  private:
    // What a block runs on. Under TSan each stream has two that take turns, so that neighbouring
    // blocks and kernels of different streams share no stack, no shared memory and no order; a
    // block comes after the last but one of its grid, whose crew it has.
    struct Crew {
        std::vector<std::unique_ptr<Fiber>> fibers;
        unsigned char* shared = SharedMemory::make();
        Turns reused;  // released by the threads of one block, acquired by those of the next
    };
    // Of one grid: at an address of its own, whose past TSan forgets.
    struct GridOrder {
        Order launched, finished;
    };

    static void entry(boost::context::detail::transfer_t from);
    void run_block(dim3 grid, dim3 block, uint3 index);
    void grow(int threads);
    void make_ready(Fiber& fiber) {
        fiber.state = State::kReady;
        ready_.push_back(&fiber);
    }
    Fiber* next();
    void leave(Fiber* from);
    void switch_to(boost::context::detail::fcontext_t* saved, Fiber* to);
    void resumed(void* fake);
    void release_barrier();
    // The warp if all of `mask` are there now.
    Warp* arrive(unsigned mask, const char* kind, Place place);
    void release_meeting(Warp& warp, unsigned mask);
    [[noreturn]] void die_of_deadlock(uint3 block) const;
    Fiber& fiber_at(int i) const { return *crew_->fibers[static_cast<size_t>(i)]; }

    std::map<std::pair<void*, int>, Crew> crews_;  // by launcher and turn
    Crew* crew_ = nullptr;
    std::vector<Warp> warps_;
    std::vector<Fiber*> ready_;
    size_t next_ = 0;
    int threads_ = 0, alive_ = 0, at_barrier_ = 0;
    Place barrier_{};
    std::unique_ptr<Turns> barriers_;  // of the block
    std::unique_ptr<GridOrder> grid_order_;
    boost::context::detail::fcontext_t main_{};
    bool from_main_ = false;  // the last switch was from what launched
    Fiber* running_ = nullptr;
    const std::function<void()>* body_ = nullptr;
    std::mt19937_64 random_;
    uint64_t blocks_ = 0;
    SharedMemory shared_;
    TsanThreads tsan_threads_;
    const void* main_stack_ = nullptr;  // for ASan
    size_t main_stack_bytes_ = 0;
};
Executor& executor();

}  // namespace polytrain::emulator
