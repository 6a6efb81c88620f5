#include "cuda_emulator/execution.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/context/detail/fcontext.hpp>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cuda_emulator/annotations.hpp"
#include "cuda_emulator/memory.hpp"
#include "cuda_emulator/shared_memory.hpp"
#include "cuda_emulator/tsan_threads.hpp"

namespace polytrain::emulator {

namespace fcontext = boost::context::detail;
Thread* current = nullptr;

void die(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::fprintf(stderr, "emulated CUDA: ");
    std::vfprintf(stderr, format, arguments);
    std::fputc('\n', stderr);
    va_end(arguments);
    std::fflush(nullptr);
    std::_Exit(kExitCode);
}

namespace {

constexpr size_t kStack = size_t{256} << 10;

enum class State : uint8_t { kReady, kAtBarrier, kInMeeting, kDone };

struct Warp;
struct Copy {
    void* to;
    const void* from;
    int bytes, valid, group;
};
struct Fiber {
    Thread thread{};
    fcontext::fcontext_t context{};
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
    std::vector<Copy> copies;
    int copy_group = 0;
    void* tsan = nullptr;
};
struct Warp {
    std::array<Fiber*, 32> fibers{};
    unsigned live = 0, arrived = 0;
    std::array<Order, 2> order;  // of __syncwarp, by turns
    unsigned syncs = 0;
};

class Executor {
  public:
    void run(dim3 grid, dim3 block, size_t dynamic_bytes, const std::function<void()>& body);
    void barrier(Place place);
    template <class F>
    void meet(unsigned mask, const char* kind, Place place, F&& work);
    void sync_warp(unsigned mask, Place place);
    Fiber& fiber() { return *running_; }
    SharedMemory& shared() { return shared_; }
    void reseed(uint64_t seed) { random_.seed(seed); }

  private:
    static void entry(fcontext::transfer_t from);
    void run_block(dim3 grid, dim3 block, uint3 index);
    void grow(int threads);
    void make_ready(Fiber& fiber) {
        fiber.state = State::kReady;
        ready_.push_back(&fiber);
    }
    Fiber* next();
    void leave(Fiber* from);
    void switch_to(fcontext::fcontext_t* saved, Fiber* to);
    void release_barrier();
    [[noreturn]] void die_of_deadlock(uint3 block) const;

    Fiber& fiber_at(int i) const { return *(*fibers_)[static_cast<size_t>(i)]; }

    std::array<std::vector<std::unique_ptr<Fiber>>, 2> fiber_sets_;
    std::vector<std::unique_ptr<Fiber>>* fibers_ = &fiber_sets_[0];
    std::vector<Warp> warps_;
    std::vector<Fiber*> ready_;
    size_t next_ = 0;
    int threads_ = 0, alive_ = 0, at_barrier_ = 0;
    Place barrier_{};
    unsigned barriers_ = 0;
    std::array<Order, 2> barrier_order_;  // by turns: a thread that is late must not come after
                                          // those that are at the next already
    fcontext::fcontext_t main_{};
    Fiber* running_ = nullptr;
    const std::function<void()>* body_ = nullptr;
    std::mt19937_64 random_{1};
    uint64_t blocks_ = 0;
    SharedMemory shared_;
    TsanThreads tsan_threads_;
    Order launched_, finished_;
    // Neighbouring blocks are unordered; a block comes after the last but one, whose stacks and
    // shared memory it uses.
    std::array<Order, 2> reused_;
    const void* main_stack_ = nullptr;
    size_t main_stack_bytes_ = 0;
};

Executor& executor() {
    static Executor one;
    return one;
}

inline void arrive(fcontext::transfer_t from) {
    *static_cast<fcontext::fcontext_t*>(from.data) = from.fctx;
}

void Executor::switch_to(fcontext::fcontext_t* saved, Fiber* to) {
#ifdef POLYTRAIN_EMULATOR_ASAN
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, to != nullptr ? to->stack : main_stack_,
                                   to != nullptr ? kStack : main_stack_bytes_);
#endif
    tsan_threads_.switch_to(to != nullptr ? to->tsan : nullptr);
    running_ = to;
    current = to != nullptr ? &to->thread : nullptr;
    arrive(fcontext::jump_fcontext(to != nullptr ? to->context : main_, saved));
#ifdef POLYTRAIN_EMULATOR_ASAN
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

Fiber* Executor::next() {
    if (next_ == ready_.size()) {
        ready_.clear();
        next_ = 0;
        return nullptr;
    }
    if (schedule().random) {
        const size_t left = ready_.size() - next_;
        const size_t chosen = next_ + static_cast<size_t>(((random_() >> 32) * left) >> 32);
        std::swap(ready_[next_], ready_[chosen]);
    }
    return ready_[next_++];
}

void Executor::leave(Fiber* from) {
    Fiber* to = next();
    if (to != from) switch_to(&from->context, to);
}

void Executor::release_barrier() {
    if (alive_ != threads_)
        die("__syncthreads at %s:%d: %d threads are there, %d of %d have exited (block %u)",
            barrier_.file, barrier_.line, at_barrier_, threads_ - alive_, threads_,
            fiber_at(0).thread.block.x);
    at_barrier_ = 0;
    ++barriers_;
    for (int i = 0; i < threads_; ++i)
        if (fiber_at(i).state == State::kAtBarrier) make_ready(fiber_at(i));
}

void Executor::barrier(Place place) {
    Fiber* own = running_;
    if (at_barrier_ == 0)
        barrier_ = place;
    else if (barrier_.line != place.line || std::strcmp(barrier_.file, place.file) != 0)
        die("divergent __syncthreads: thread %d is at %s:%d, others at %s:%d (block %u)",
            own->linear, place.file, place.line, barrier_.file, barrier_.line, own->thread.block.x);
    Order& order = barrier_order_[barriers_ % 2];
    order.release();
    own->state = State::kAtBarrier;
    own->kind = "__syncthreads";
    own->place = place;
    if (++at_barrier_ == alive_) release_barrier();
    leave(own);
    order.acquire();
}

template <class F>
void Executor::meet(unsigned mask, const char* kind, Place place, F&& work) {
    Fiber* own = running_;
    Warp& warp = *own->warp;
    const unsigned bit = 1u << own->thread.lane;
    if ((mask & bit) == 0)
        die("%s at %s:%d: lane %d is not in its own mask %08x", kind, place.file, place.line,
            own->thread.lane, mask);
    if ((mask & ~warp.live) != 0)
        die("%s at %s:%d: mask %08x names lanes that have exited (live: %08x)", kind, place.file,
            place.line, mask, warp.live);
    own->mask = mask;
    own->kind = kind;
    own->place = place;
    own->state = State::kInMeeting;
    warp.arrived |= bit;
    if ((warp.arrived & mask) == mask) {
        for (int lane = 0; lane < 32; ++lane) {
            if ((mask >> lane & 1) == 0) continue;
            const Fiber& other = *warp.fibers[static_cast<size_t>(lane)];
            if (other.mask != mask || other.place.line != place.line ||
                std::strcmp(other.place.file, place.file) != 0)
                die("lanes of a warp meet at different calls: lane %d in %s of mask %08x at %s:%d, "
                    "lane %d in %s of mask %08x at %s:%d",
                    own->thread.lane, kind, mask, place.file, place.line, lane, other.kind,
                    other.mask, other.place.file, other.place.line);
        }
        work(warp);
        warp.arrived &= ~mask;
        for (int lane = 0; lane < 32; ++lane)
            if ((mask >> lane & 1) != 0) make_ready(*warp.fibers[static_cast<size_t>(lane)]);
    }
    leave(own);
}

void Executor::sync_warp(unsigned mask, Place place) {
    Warp& warp = *running_->warp;
    Order& order = warp.order[warp.syncs % 2];
    order.release();
    meet(mask, "__syncwarp", place, [](Warp& all) { ++all.syncs; });
    order.acquire();
}

void Executor::entry(fcontext::transfer_t from) {
    arrive(from);
    Executor& own = executor();
#ifdef POLYTRAIN_EMULATOR_ASAN
    const void* bottom = nullptr;
    size_t bytes = 0;
    __sanitizer_finish_switch_fiber(nullptr, &bottom, &bytes);
    if (own.main_stack_ == nullptr) {
        own.main_stack_ = bottom;
        own.main_stack_bytes_ = bytes;
    }
#endif
    Fiber* fiber = own.running_;
    for (;;) {
        Order& reused = own.reused_[own.blocks_ % 2];
        own.launched_.acquire();
        reused.acquire();
        (*own.body_)();
        for (const Copy& copy : fiber->copies)
            if (copy.bytes > 0) die("a thread exited with a cp.async that it never waited for");
        own.finished_.release();
        reused.release();
        fiber->state = State::kDone;
        fiber->warp->live &= ~(1u << fiber->thread.lane);
        --own.alive_;
        if (own.alive_ > 0 && own.at_barrier_ == own.alive_) own.release_barrier();
        own.switch_to(&fiber->context, own.next());
    }
}

void Executor::grow(int threads) {
    while (fibers_->size() < static_cast<size_t>(threads)) {
        auto fiber = std::make_unique<Fiber>();
        const size_t guard = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
        void* memory = ::mmap(nullptr, kStack + guard, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) die("no memory for a stack");
        ::mprotect(memory, guard, PROT_NONE);
        fiber->stack = static_cast<char*>(memory) + guard;
        fiber->context = fcontext::make_fcontext(fiber->stack + kStack, kStack, entry);
        fibers_->push_back(std::move(fiber));
    }
}

void Executor::die_of_deadlock(uint3 block) const {
    for (int i = 0; i < threads_; ++i) {
        const Fiber& fiber = fiber_at(i);
        if (fiber.state != State::kDone)
            die("deadlock in block (%u, %u, %u): thread %d waits in %s at %s:%d; %d threads of %d "
                "are alive, %d at a barrier",
                block.x, block.y, block.z, i, fiber.kind, fiber.place.file, fiber.place.line,
                alive_, threads_, at_barrier_);
    }
    die("deadlock");
}

void Executor::run_block(dim3 grid, dim3 block, uint3 index) {
    threads_ = alive_ = static_cast<int>(block.x * block.y * block.z);
    at_barrier_ = 0;
    ++blocks_;
    const auto set = static_cast<int>(blocks_ % 2);
    shared_.begin_block(set);
    warps_.assign(static_cast<size_t>((threads_ + 31) / 32), Warp{});
    ready_.clear();
    next_ = 0;
    // With TSan two sets of fibers take turns, each with stacks of its own.
    fibers_ = &fiber_sets_[TsanThreads::kEnabled ? static_cast<size_t>(set) : 0];
    grow(threads_);
    for (int i = 0; i < threads_; ++i) {
        Fiber& fiber = fiber_at(i);
        const auto linear = static_cast<unsigned>(i);
        fiber.linear = i;
        fiber.thread = {
            {linear % block.x, linear / block.x % block.y, linear / (block.x * block.y)},
            index,
            block,
            grid,
            i % 32};
        fiber.warp = &warps_[static_cast<size_t>(i / 32)];
        fiber.warp->fibers[static_cast<size_t>(i % 32)] = &fiber;
        fiber.warp->live |= 1u << (i % 32);
        fiber.copies.clear();
        fiber.copy_group = 0;
        fiber.tsan = tsan_threads_.of(i, set);
        make_ready(fiber);
    }
    switch_to(&main_, next());
    if (alive_ > 0) die_of_deadlock(index);
    shared_.end_block();
}

void Executor::run(dim3 grid, dim3 block, size_t dynamic_bytes, const std::function<void()>& body) {
    const size_t blocks = size_t{grid.x} * grid.y * grid.z;
    body_ = &body;
    shared_.begin_grid(dynamic_bytes);
    tsan_threads_.begin_grid();
    launched_.release();
    std::vector<size_t> order(blocks);
    for (size_t i = 0; i < blocks; ++i) order[i] = i;
    if (schedule().random) std::shuffle(order.begin(), order.end(), random_);
    for (const size_t i : order)
        run_block(grid, block,
                  {static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
                   static_cast<unsigned>(i / grid.x / grid.y)});
    finished_.acquire();
}

float from_bf16(uint32_t pair, int half) {
    const uint32_t bits = half == 0 ? pair << 16 : pair & 0xffff0000u;
    float value = 0;
    copy_bytes(&value, &bits, sizeof value);
    return value;
}

// PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type".
void multiply_fragments(Warp& warp) {
    float a[16][16], b[16][8];
    for (int lane = 0; lane < 32; ++lane) {
        const Fiber& fiber = *warp.fibers[static_cast<size_t>(lane)];
        const auto* ra = static_cast<const uint32_t*>(fiber.operands[1]);
        const auto* rb = static_cast<const uint32_t*>(fiber.operands[2]);
        const int row = lane / 4, column = 2 * (lane % 4);
        for (int half = 0; half < 2; ++half) {
            a[row][column + half] = from_bf16(ra[0], half);
            a[row + 8][column + half] = from_bf16(ra[1], half);
            a[row][column + 8 + half] = from_bf16(ra[2], half);
            a[row + 8][column + 8 + half] = from_bf16(ra[3], half);
            b[column + half][row] = from_bf16(rb[0], half);
            b[column + 8 + half][row] = from_bf16(rb[1], half);
        }
    }
    for (int lane = 0; lane < 32; ++lane) {
        auto* d = static_cast<float*>(warp.fibers[static_cast<size_t>(lane)]->operands[0]);
        for (int i = 0; i < 4; ++i) {
            const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
            float sum = d[i];
            for (int k = 0; k < 16; ++k) sum += a[row][k] * b[k][column];
            d[i] = sum;
        }
    }
}

}  // namespace

Schedule& schedule() {
    static Schedule one = [] {
        Schedule made;
        const char* text = std::getenv("POLYTRAIN_EMULATOR");
        for (std::string rest = text != nullptr ? text : ""; !rest.empty();) {
            const std::string part = rest.substr(0, rest.find(','));
            rest = part.size() == rest.size() ? "" : rest.substr(part.size() + 1);
            if (part.starts_with("seed="))
                made.seed = std::strtoull(part.c_str() + 5, nullptr, 10);
            else if (part == "lazy")
                made.lazy = true;
            else if (part == "ordered")
                made.random = false;
            else
                die("POLYTRAIN_EMULATOR: \"%s\": it takes seed=N, lazy, ordered", part.c_str());
        }
        return made;
    }();
    return one;
}

void set_schedule(const Schedule& wanted) {
    schedule() = wanted;
    executor().reseed(wanted.seed);
}

void run_grid(dim3 grid, dim3 block, size_t dynamic_bytes, const std::function<void()>& body) {
    executor().run(grid, block, dynamic_bytes, body);
}

void sync_threads(Place place) {
    executor().barrier(place);
}
void sync_warp(unsigned mask, Place place) {
    executor().sync_warp(mask, place);
}

void shuffle(unsigned mask, void* value, size_t bytes, int source, Place place) {
    Fiber& own = executor().fiber();
    copy_bytes(own.in.data(), value, bytes);
    own.source = source;
    executor().meet(mask, "a shuffle", place, [&](Warp& warp) {
        for (int lane = 0; lane < 32; ++lane) {
            if ((mask >> lane & 1) == 0) continue;
            Fiber& to = *warp.fibers[static_cast<size_t>(lane)];
            const int from = to.source & 31;
            // A lane that isn't in the mask gives what nobody knows.
            if ((mask >> from & 1) == 0)
                fill_bytes(to.out.data(), 0xFF, bytes);
            else
                copy_bytes(to.out.data(), warp.fibers[static_cast<size_t>(from)]->in.data(), bytes);
        }
    });
    copy_bytes(value, own.out.data(), bytes);
}

unsigned ballot(unsigned mask, bool predicate, Place place) {
    Fiber& own = executor().fiber();
    own.source = predicate ? 1 : 0;
    executor().meet(mask, "a vote", place, [&](Warp& warp) {
        unsigned votes = 0;
        for (int lane = 0; lane < 32; ++lane)
            if ((mask >> lane & 1) != 0)
                votes |= static_cast<unsigned>(warp.fibers[static_cast<size_t>(lane)]->source)
                         << lane;
        for (int lane = 0; lane < 32; ++lane)
            if ((mask >> lane & 1) != 0)
                copy_bytes(warp.fibers[static_cast<size_t>(lane)]->out.data(), &votes,
                           sizeof votes);
    });
    unsigned votes = 0;
    copy_bytes(&votes, own.out.data(), sizeof votes);
    return votes;
}

void mma_m16n8k16_bf16(float* d, const uint32_t* a, const uint32_t* b, Place place) {
    executor().fiber().operands = {d, const_cast<uint32_t*>(a), const_cast<uint32_t*>(b)};
    executor().meet(~0u, "mma", place, multiply_fragments);
}

void ldmatrix_x4(uint32_t* registers, const void* row, bool transposed, Place place) {
    if ((reinterpret_cast<uintptr_t>(row) & 15) != 0)
        die("ldmatrix at %s:%d: a row that isn't 16-byte aligned", place.file, place.line);
    executor().shared().check(row, 16, place);
    note_read(row, 16);
    executor().fiber().operands = {registers, const_cast<void*>(row), nullptr};
    executor().meet(~0u, "ldmatrix", place, [&](Warp& warp) {
        const auto element = [&](int matrix, int i, int j) {
            const void* line = warp.fibers[static_cast<size_t>(8 * matrix + i)]->operands[1];
            uint16_t value = 0;
            copy_bytes(&value, static_cast<const char*>(line) + 2 * j, 2);
            return uint32_t{value};
        };
        for (int lane = 0; lane < 32; ++lane) {
            auto* to = static_cast<uint32_t*>(warp.fibers[static_cast<size_t>(lane)]->operands[0]);
            const int i = lane / 4, j = 2 * (lane % 4);
            for (int matrix = 0; matrix < 4; ++matrix)
                to[matrix] = transposed ? element(matrix, j, i) | element(matrix, j + 1, i) << 16
                                        : element(matrix, i, j) | element(matrix, i, j + 1) << 16;
        }
    });
}

void cp_async(void* shared, const void* global, int bytes, int valid, Place place) {
    const auto mask = static_cast<uintptr_t>(bytes - 1);
    if (((reinterpret_cast<uintptr_t>(shared) | reinterpret_cast<uintptr_t>(global)) & mask) != 0)
        die("cp.async of %d bytes at %s:%d: misaligned", bytes, place.file, place.line);
    executor().shared().check(shared, static_cast<size_t>(bytes), place);
    if (valid > 0) check_device_range(global, static_cast<size_t>(valid), "cp.async");
    note_read(global, static_cast<size_t>(valid));
    note_write(shared, static_cast<size_t>(bytes));
    Fiber& own = executor().fiber();
    own.copies.push_back({shared, global, bytes, valid, own.copy_group});
}
void cp_async_commit() {
    ++executor().fiber().copy_group;
}
void cp_async_wait(int groups_left) {
    Fiber& own = executor().fiber();
    std::erase_if(own.copies, [&](const Copy& copy) {
        if (copy.group >= own.copy_group - groups_left) return false;
        copy_bytes(copy.to, copy.from, static_cast<size_t>(copy.valid));
        fill_bytes(static_cast<char*>(copy.to) + copy.valid, 0,
                   static_cast<size_t>(copy.bytes - copy.valid));
        note_write(copy.to, static_cast<size_t>(copy.bytes));
        return true;
    });
}

void* shared_array(const void* key, size_t bytes) {
    return executor().shared().array(key, bytes);
}
void* dynamic_shared() {
    return executor().shared().dynamic();
}

}  // namespace polytrain::emulator
