#include "cuda_emulator/streams.hpp"

#include <sched.h>

#include <algorithm>

#include "cuda_emulator/memory.hpp"
#include "cuda_emulator/tsan_threads.hpp"

namespace polytrain::emulator {

void StreamQueue::add(std::unique_ptr<Node> node) {
    node->queued.release();
    nodes_.push_back(std::move(node));
    if (!schedule().lazy)
        while (step()) {
        }
}
void StreamQueue::push(std::function<void()> work) {
    auto node = std::make_unique<Node>();
    node->work = std::move(work);
    add(std::move(node));
}
void StreamQueue::push_until(std::function<bool()> done) {
    auto node = std::make_unique<Node>();
    node->done = std::move(done);
    add(std::move(node));
}
void StreamQueue::record(Event& event) {
    auto node = std::make_unique<Node>();
    node->recorded = &event;
    ++event.recorded;
    add(std::move(node));
}
void StreamQueue::wait(Event& event) {
    auto node = std::make_unique<Node>();
    node->awaited = &event;
    node->target = event.recorded;
    add(std::move(node));
}

bool StreamQueue::step() {
    if (nodes_.empty()) return false;
    Node& first = *nodes_.front();
    if (first.awaited != nullptr && first.awaited->done < first.target) return false;
    const DeviceAccess access;
#ifdef POLYTRAIN_EMULATOR_TSAN
    void* host = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(tsan_, 1);
#endif
    first.queued.acquire();
    bool did = true;
    if (first.done) did = first.done();
    if (did) {
        const std::unique_ptr<Node> node = std::move(nodes_.front());
        nodes_.pop_front();
        if (node->work) node->work();
        if (node->recorded != nullptr) {
            node->recorded->order.release();
            ++node->recorded->done;
        }
        if (node->awaited != nullptr) node->awaited->order.acquire();
    }
    order.release();
#ifdef POLYTRAIN_EMULATOR_TSAN
    __tsan_switch_to_fiber(host, 1);
#endif
    return did;
}

StreamQueue* Streams::create() {
    void* fiber = nullptr;
    if (idle_.empty()) {
        fiber = TsanThreads::make("CUDA stream");
    } else {
        fiber = idle_.back();
        idle_.pop_back();
    }
    return all_.emplace_back(std::make_unique<StreamQueue>(fiber)).get();
}
void Streams::destroy(StreamQueue* stream) {
    drain([&] { return stream->empty(); });
    idle_.push_back(stream->tsan_fiber());
    std::erase_if(all_, [&](const auto& one) { return one.get() == stream; });
}
StreamQueue& Streams::checked(cudaStream_t stream) const {
    for (const auto& one : all_)
        if (reinterpret_cast<cudaStream_t>(one.get()) == stream) return *one;
    die("%s", stream == nullptr ? "the default stream is used: name one"
                                : "a stream that was never made, or is destroyed");
}

bool Streams::step() {
    std::vector<StreamQueue*> busy;
    for (const auto& one : all_)
        if (!one->empty()) busy.push_back(one.get());
    if (busy.empty()) return false;
    const size_t first = schedule().random ? random_() % busy.size() : 0;
    for (size_t i = 0; i < busy.size(); ++i)
        if (busy[(first + i) % busy.size()]->step()) return true;
    return false;
}

void Streams::drain(const std::function<bool()>& finished) {
    // Work of other processes may be what a stream waits for.
    while (!finished())
        if (!step()) ::sched_yield();
}
bool Streams::all_empty() const {
    return std::all_of(all_.begin(), all_.end(), [](const auto& one) { return one->empty(); });
}
void Streams::drain_all() {
    drain([&] { return all_empty(); });
    for (const auto& one : all_) one->order.acquire();
}
void Streams::retire(Event* event) {
    if (all_empty()) retired_.clear();
    retired_.emplace_back(event);
}

Streams& streams() {
    static Streams one;
    return one;
}

void enqueue(cudaStream_t stream, std::function<void()> work) {
    streams().checked(stream).push(std::move(work));
}
void enqueue_until(cudaStream_t stream, std::function<bool()> done) {
    streams().checked(stream).push_until(std::move(done));
}

}  // namespace polytrain::emulator
