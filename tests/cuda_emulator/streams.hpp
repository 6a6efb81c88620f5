#pragma once
// Streams and events. Each stream is a queue; what orders work on different streams is events
// alone. Eager: work is done when it is queued, if what it waits for is done. Lazy: only when the
// host waits, in an order drawn from the seed, so that a missing event or wait shows.

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "cuda_emulator/annotations.hpp"
#include "cuda_emulator/execution.hpp"

namespace polytrain::emulator {

struct Event {
    uint64_t recorded = 0, done = 0;  // how often
    Order order;
};

class StreamQueue {
  public:
    void push(std::function<void()> work);
    void push_until(std::function<bool()> done);
    void record(Event& event);
    // For what was recorded last before now.
    void wait(Event& event);

    bool empty() const { return nodes_.empty(); }
    // Does the first of the queue if it can be done now.
    bool step();
    Order order;  // after all that was done

  private:
    struct Node {
        std::function<void()> work;
        std::function<bool()> done;
        Event* recorded = nullptr;
        Event* awaited = nullptr;
        uint64_t target = 0;
        Order queued;
    };
    void add(std::unique_ptr<Node> node);

    std::deque<std::unique_ptr<Node>> nodes_;
    void* tsan_ = nullptr;
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
    // Some work, if there is any.
    bool step();

  private:
    std::vector<std::unique_ptr<StreamQueue>> all_;
    uint64_t draws_ = 0;
};
Streams& streams();

// Lets other threads of the host call the emulator for a moment.
void give_way();

}  // namespace polytrain::emulator
