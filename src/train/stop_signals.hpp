#pragma once

#include <atomic>
#include <csignal>
#include <thread>

namespace polytrain {

// While it lives, the first SIGTERM, SIGINT or SIGUSR1 is noted for the loop to act on, instead of
// ending the process; the next one of any kind ends it at once with status 128 + its number, and
// with nothing half-done under a committed name. A signal that the process was started to ignore
// (SIGINT of a background job) stays ignored.
//
// No handler runs: a thread waits for the signals, and the thread that makes the object, with all
// that it starts afterwards, blocks them. oneDNN's kernels keep their stack pointer in a small heap
// block, which the frame of a handler would run out of. So make it before any thread pool.
class StopSignals {
  public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    // The number of the signal that came, or 0.
    int caught() const { return noted_; }
    // Nobody acts on signals any more: the next one ends the process at once. Whether one had come.
    bool give_up() { return noted_.exchange(-1) > 0; }
    // "SIGTERM"
    static const char* name(int signal);

  private:
    void watch();

    sigset_t watched_{}, before_{};
    int wake_ = 0;  // one of the watched; 0: there are none
    std::atomic<int> noted_{0};
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

}  // namespace polytrain
