#include "data/prefetcher.hpp"

#include "core/error.hpp"

namespace polytrain {

Prefetcher::Prefetcher(int64_t tokens, int ahead, Fill fill) : fill_(std::move(fill)) {
    PT_CHECK(ahead >= 1, "{} batches ahead", ahead);
    // One more than are ready: the one in use.
    slots_.assign(static_cast<size_t>(ahead) + 1, HostBatch(tokens));
    thread_ = std::thread([this] { work(); });
}

Prefetcher::~Prefetcher() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    room_.notify_one();
    thread_.join();
}

void Prefetcher::work() {
    const auto slots = static_cast<int64_t>(slots_.size());
    for (int64_t number = 0;; ++number) {
        {
            std::unique_lock lock(mutex_);
            // Batch taken_ - 1 is in use; the one before it is given back.
            room_.wait(lock,
                       [&] { return stop_ || number < std::max<int64_t>(taken_, 1) - 1 + slots; });
            if (stop_) return;
        }
        std::exception_ptr failure;
        try {
            fill_(number, slot(number));
        } catch (...) {
            failure = std::current_exception();
        }
        {
            const std::lock_guard lock(mutex_);
            if (failure)
                failure_ = failure;
            else
                filled_ = number + 1;
        }
        ready_.notify_one();
        if (failure) return;
    }
}

const HostBatch& Prefetcher::next() {
    std::unique_lock lock(mutex_);
    const int64_t number = taken_++;
    room_.notify_one();
    ready_.wait(lock, [&] { return filled_ > number || failure_; });
    if (filled_ <= number) std::rethrow_exception(failure_);
    return slot(number);
}

}  // namespace polytrain
