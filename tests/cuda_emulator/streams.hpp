#pragma once
// Streams and events. Each stream is a queue; what orders work on different streams is events
// alone. Eager: work is done when it is queued, if what it waits for is done. Lazy: only when the
// host waits, in an order drawn from the seed, so that a missing event or wait shows.

#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "cuda_emulator/annotations.hpp"
#include "cuda_emulator/capture.hpp"
#include "cuda_emulator/execution.hpp"

namespace polytrain::emulator {

struct Event {
    uint64_t recorded = 0, done = 0;  // how often
    std::shared_ptr<Order> order;     // of the last record; what waits for it shares it
    // Where it was recorded last, if that was while capturing, and whether that is over.
    Capture* capture = nullptr;
    bool was_captured = false;
};

class StreamQueue {
  public:
    StreamQueue(void* tsan_fiber) : tsan_(tsan_fiber) {}
    void push(std::function<void()> work);
    void push_until(std::function<bool()> done);
    void record(Event& event);
    // For what was recorded last before now. Says what of it a capture forbids.
    cudaError_t wait(Event& event);

    Capture* capture() const { return capture_; }
    void set_capture(Capture* capture) { capture_ = capture; }

    bool empty() const { return nodes_.empty(); }
    // Does the first of the queue if it can be done now.
    bool step();
    Order order;  // after all that was done
    void* tsan_fiber() const { return tsan_; }

  private:
    struct Node {
        std::function<void()> work;
        std::function<bool()> done;
        Event* recorded = nullptr;
        Event* awaited = nullptr;
        std::shared_ptr<Order> order;  // of what it records or awaits; null if that never was
        uint64_t target = 0;
        Order queued;
    };
    void add(std::unique_ptr<Node> node);

    std::deque<std::unique_ptr<Node>> nodes_;
    void* tsan_;
    Capture* capture_ = nullptr;
};

class Streams {
  public:
    StreamQueue* create();
    void destroy(StreamQueue* stream);
    // Ends the process for the default stream.
    StreamQueue& checked(cudaStream_t stream) const;
    // Works on all streams until `finished` answers true.
    void drain(const std::function<bool()>& finished);
    void drain_all();
    void reseed(uint64_t seed) { random_.seed(seed); }
    // Some work, if there is any.
    bool step();

    void begin_capture(StreamQueue& stream, bool forbids);
    std::unique_ptr<Capture> end_capture(StreamQueue& origin);
    // Whether a capture forbids what the host asks for now (it is then of no use): of any stream,
    // or of this one.
    bool is_forbidden();
    static bool is_forbidden(const StreamQueue& stream);

    // Destroys an event when nothing that is queued can ask for it; the host doesn't wait.
    void retire(Event* event);

  private:
    bool all_empty() const;

    std::vector<std::unique_ptr<StreamQueue>> all_;
    std::vector<std::unique_ptr<Capture>> captures_;
    std::vector<std::unique_ptr<Event>> retired_;
    std::vector<void*> idle_;  // TSan fibers of destroyed streams, for the next
    std::mt19937_64 random_{schedule().seed};
};
Streams& streams();

// Lets other threads of the host call the emulator for a moment.
void give_way();

}  // namespace polytrain::emulator
