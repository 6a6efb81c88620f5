#include "core/thread_pool.hpp"

#include <sched.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/error.hpp"

namespace polytrain {
namespace {

// Parts follow each other within microseconds during a step: look again a few times before
// sleeping.
constexpr int kSpins = 2000;

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
    PT_CHECK(threads >= 1, "a pool of {} threads", threads);
    workers_.reserve(static_cast<size_t>(threads - 1));
    try {
        for (int thread = 1; thread < threads; ++thread)
            workers_.emplace_back([this, thread] { work(thread); });
    } catch (const std::system_error& error) {
        const size_t started = workers_.size();
        stop();
        fail(ExitCode::kInternal, "cannot start thread {} of {}: {}. Lower `threads`", started + 2,
             threads, error.what());
    }
}

ThreadPool::~ThreadPool() {
    stop();
}

void ThreadPool::stop() {
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
    }
    generation_.fetch_add(1);
    generation_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t parts, const std::function<void(int64_t, int)>& run) {
    if (parts <= 1 || workers_.empty()) {  // nobody to wake
        for (int64_t part = 0; part < parts; ++part) run(part, 0);
        return;
    }
    {
        std::lock_guard lock(mutex_);
        PT_CHECK(run_ == nullptr, "ThreadPool::run is not reentrant");
        run_ = &run;
        parts_ = parts;
        next_part_.store(0);
        busy_.store(static_cast<int>(workers_.size()));
        failure_ = nullptr;
    }
    generation_.fetch_add(1);
    generation_.notify_all();
    take_parts(0);
    for (int spin = 0; spin < kSpins && busy_.load() != 0; ++spin) pause();
    for (int busy = busy_.load(); busy != 0; busy = busy_.load()) busy_.wait(busy);
    run_ = nullptr;
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::work(int thread) {
    uint64_t seen = 0;
    for (;;) {
        for (int spin = 0; spin < kSpins && generation_.load() == seen; ++spin) pause();
        generation_.wait(seen);
        seen = generation_.load();
        {
            std::lock_guard lock(mutex_);
            if (stop_) return;
        }
        take_parts(thread);
        if (busy_.fetch_sub(1) == 1) busy_.notify_one();
    }
}

void ThreadPool::take_parts(int thread) {
    for (;;) {
        const int64_t part = next_part_.fetch_add(1);
        if (part >= parts_) return;
        try {
            (*run_)(part, thread);
        } catch (...) {
            std::lock_guard lock(mutex_);
            if (!failure_ || part < failed_part_) {
                failure_ = std::current_exception();
                failed_part_ = part;
            }
        }
    }
}

int available_processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
    return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace polytrain
