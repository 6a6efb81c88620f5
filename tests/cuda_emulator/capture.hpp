#pragma once
// CUDA graphs made by capture: what is queued on a capturing stream, and on the streams that join
// it by events, is noted and not done; a launch of the graph does it in the order in which it was
// noted, on one stream.

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "cuda_emulator/execution.hpp"

namespace polytrain::emulator {

class StreamQueue;
struct Event;

struct Graph {
    std::vector<std::function<void()>> work;
};

// Of one stream that captures, and those that joined.
class Capture {
  public:
    // `forbids`: what else the host does, such as cudaMalloc, may not go on beside it.
    Capture(StreamQueue* origin, bool forbids) : origin_(origin), forbids_(forbids) {
        seen_[origin];
    }

    StreamQueue* origin() const { return origin_; }
    bool forbids() const { return forbids_; }
    void add(StreamQueue* stream, std::function<void()> work);
    void record(StreamQueue* stream, Event& event);
    // The stream joins if it has not.
    void wait(StreamQueue* stream, Event& event);
    // What it did that a capture can't hold; from then on it is of no use.
    void break_off() { is_broken_ = true; }
    bool is_broken() const { return is_broken_; }
    // Whether the first stream waited for all that the others did.
    bool is_joined() const;
    std::vector<StreamQueue*> streams() const;
    std::vector<Event*> events() const;
    // An event that is no more.
    void forget(Event* event) { recorded_.erase(event); }
    Graph take() { return std::move(graph_); }

    // How far each stream was: what a stream knows of the others, and an event of them all.
    using Progress = std::map<StreamQueue*, size_t>;

  private:
    StreamQueue* origin_;
    bool forbids_;
    std::map<StreamQueue*, Progress> seen_;
    std::map<Event*, Progress> recorded_;
    Graph graph_;
    bool is_broken_ = false;
};

}  // namespace polytrain::emulator
