#include "cuda_emulator/executor.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "cuda_emulator/streams.hpp"

namespace polytrain::emulator {

namespace fcontext = boost::context::detail;
Thread* current = nullptr;

namespace {

constexpr size_t kStack = size_t{256} << 10;

void note_caller(fcontext::transfer_t from) {
    *static_cast<fcontext::fcontext_t*>(from.data) = from.fctx;
}

}  // namespace

Turns& Warp::sync(unsigned mask) {
    for (const auto& [of, turns] : syncs)
        if (of == mask) return *turns;
    return *syncs.emplace_back(mask, std::make_unique<Turns>()).second;
}

Executor& executor() {
    static Executor one;
    return one;
}

// To a fiber, or with null back to what launched.
void Executor::switch_to(fcontext::fcontext_t* saved, Fiber* to) {
    void* fake = nullptr;
#ifdef POLYTRAIN_EMULATOR_ASAN
    __sanitizer_start_switch_fiber(&fake, to != nullptr ? to->stack : main_stack_,
                                   to != nullptr ? kStack : main_stack_bytes_);
#endif
    tsan_threads_.switch_to(to != nullptr ? to->tsan : nullptr);
    from_main_ = running_ == nullptr;
    running_ = to;
    current = to != nullptr ? &to->thread : nullptr;
    note_caller(fcontext::jump_fcontext(to != nullptr ? to->context : main_, saved));
    resumed(fake);
}

void Executor::resumed([[maybe_unused]] void* fake) {
#ifdef POLYTRAIN_EMULATOR_ASAN
    const void* bottom = nullptr;
    size_t bytes = 0;
    __sanitizer_finish_switch_fiber(fake, &bottom, &bytes);
    if (from_main_) {
        main_stack_ = bottom;
        main_stack_bytes_ = bytes;
        from_main_ = false;
    }
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
    ++barriers_->passed;
    for (int i = 0; i < threads_; ++i)
        if (fiber_at(i).state == State::kAtBarrier) make_ready(fiber_at(i));
}

void Executor::barrier(Place place) {
    const Quiet quiet;
    Fiber* own = running_;
    if (at_barrier_ == 0)
        barrier_ = place;
    else if (barrier_.line != place.line || std::strcmp(barrier_.file, place.file) != 0)
        die("divergent __syncthreads: thread %d is at %s:%d, others at %s:%d (block %u)",
            own->linear, place.file, place.line, barrier_.file, barrier_.line, own->thread.block.x);
    Order& order = barriers_->now();
    order.release();
    own->state = State::kAtBarrier;
    own->kind = "__syncthreads";
    own->place = place;
    if (++at_barrier_ == alive_) release_barrier();
    leave(own);
    order.acquire();
}

Warp* Executor::arrive(unsigned mask, const char* kind, Place place) {
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
    if ((warp.arrived & mask) != mask) return nullptr;
    for (int lane = 0; lane < 32; ++lane) {
        if ((mask >> lane & 1) == 0) continue;
        const Fiber& other = *warp.fibers[static_cast<size_t>(lane)];
        if (other.mask != mask || other.place.line != place.line ||
            std::strcmp(other.place.file, place.file) != 0)
            die("lanes of a warp meet at different calls: lane %d in %s of mask %08x at %s:%d, "
                "lane %d in %s of mask %08x at %s:%d",
                own->thread.lane, kind, mask, place.file, place.line, lane, other.kind, other.mask,
                other.place.file, other.place.line);
    }
    return &warp;
}

void Executor::release_meeting(Warp& warp, unsigned mask) {
    warp.arrived &= ~mask;
    for (int lane = 0; lane < 32; ++lane)
        if ((mask >> lane & 1) != 0) make_ready(*warp.fibers[static_cast<size_t>(lane)]);
}

void Executor::sync_warp(unsigned mask, Place place) {
    const Quiet quiet;
    Turns& turns = running_->warp->sync(mask);
    Order& order = turns.now();
    order.release();
    meet(mask, "__syncwarp", place, [&](Warp&) { ++turns.passed; });
    order.acquire();
}

void Executor::entry(fcontext::transfer_t from) {
    note_caller(from);
    Executor& own = executor();
    own.resumed(nullptr);
    Fiber* fiber = own.running_;
    for (;;) {
        Order &reused = own.crew_->reused.now(), &finished = own.grid_order_->finished;
        own.grid_order_->launched.acquire();
        own.crew_->reused.before().acquire();
        (*own.body_)();
        for (const Copy& copy : fiber->copies)
            if (copy.bytes > 0) die("a thread exited with a cp.async that it never waited for");
        finished.release();
        reused.release();
        fiber->state = State::kDone;
        fiber->warp->live &= ~(1u << fiber->thread.lane);
        --own.alive_;
        if (own.alive_ > 0 && own.at_barrier_ == own.alive_) own.release_barrier();
        own.switch_to(&fiber->context, own.next());
    }
}

void Executor::grow(int threads) {
    while (crew_->fibers.size() < static_cast<size_t>(threads)) {
        auto fiber = std::make_unique<Fiber>();
        const size_t guard = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
        void* memory = ::mmap(nullptr, kStack + guard, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) die("no memory for a stack");
        ::mprotect(memory, guard, PROT_NONE);
        fiber->stack = static_cast<char*>(memory) + guard;
        fiber->context = fcontext::make_fcontext(fiber->stack + kStack, kStack, entry);
        fiber->tsan = TsanThreads::make("CUDA thread");
        crew_->fibers.push_back(std::move(fiber));
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
    crew_ = &crews_[{tsan_threads_.launcher(), TsanThreads::kEnabled ? blocks_ % 2 : 0}];
    ++crew_->reused.passed;
    shared_.begin_block(crew_->shared);
    barriers_ = std::make_unique<Turns>();
    warps_.clear();
    warps_.resize(static_cast<size_t>((threads_ + 31) / 32));
    ready_.clear();
    next_ = 0;
    grow(threads_);
    grid_order_->launched.release();
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
        make_ready(fiber);
    }
    switch_to(&main_, next());
    if (alive_ > 0) die_of_deadlock(index);
    shared_.end_block();
}

void Executor::run(dim3 grid, dim3 block, size_t dynamic_bytes, const std::function<void()>& body) {
    const Quiet quiet;
    const size_t blocks = size_t{grid.x} * grid.y * grid.z;
    body_ = &body;
    shared_.begin_grid(dynamic_bytes);
    tsan_threads_.begin_grid();
    grid_order_ = std::make_unique<GridOrder>();
    std::vector<size_t> order(blocks);
    for (size_t i = 0; i < blocks; ++i) order[i] = i;
    if (schedule().random) std::shuffle(order.begin(), order.end(), random_);
    for (const size_t i : order)
        run_block(grid, block,
                  {static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
                   static_cast<unsigned>(i / grid.x / grid.y)});
    grid_order_->finished.acquire();
}

void set_schedule(const Schedule& wanted) {
    schedule() = wanted;
    executor().reseed(wanted.seed);
    streams().reseed(wanted.seed);
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

void* shared_array(const void* key, size_t bytes) {
    const Quiet quiet;
    return executor().shared().array(key, bytes);
}
void* dynamic_shared() {
    const Quiet quiet;
    return executor().shared().dynamic();
}

}  // namespace polytrain::emulator
