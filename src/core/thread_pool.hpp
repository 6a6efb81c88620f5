#pragma once
// A fixed set of threads that run the numbered parts of a loop. The parts are chosen by the caller
// from the problem's shape alone, never from the number of threads, so results can't depend on it.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace polytrain {

class ThreadPool {
  public:
    // threads >= 1, the calling thread included. The system won't start one: exit 70.
    explicit ThreadPool(int threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int threads() const { return static_cast<int>(workers_.size()) + 1; }

    // Calls run(part, thread) once for each part in [0, parts), thread in [0, threads()) naming the
    // caller's slot for scratch. Returns when all are done; a part's exception is thrown again
    // here (the lowest part's, if several). Not reentrant.
    void run(int64_t parts, const std::function<void(int64_t part, int thread)>& run);

  private:
    void stop();
    void work(int thread);
    void take_parts(int thread);

    std::vector<std::thread> workers_;
    std::mutex mutex_;
    std::atomic<uint64_t> generation_{0};
    std::atomic<int64_t> next_part_{0};
    int64_t parts_ = 0;
    const std::function<void(int64_t, int)>* run_ = nullptr;
    std::atomic<int> busy_{0};
    bool stop_ = false;
    int64_t failed_part_ = 0;
    std::exception_ptr failure_;
};

// The fixed partition of `rows` rows into parts of `grain` rows (the last may be shorter).
struct Partition {
    int64_t rows, grain;
    int64_t parts() const { return (rows + grain - 1) / grain; }
    int64_t begin(int64_t part) const { return part * grain; }
    int64_t end(int64_t part) const { return std::min(rows, (part + 1) * grain); }
};

// The processors this process may use, at least 1.
int available_processors();

}  // namespace polytrain
