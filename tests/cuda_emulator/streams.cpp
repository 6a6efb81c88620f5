#include "cuda_emulator/streams.hpp"

#include <algorithm>

#include "cuda_emulator/memory.hpp"
#include "cuda_emulator/tsan_threads.hpp"

namespace polytrain::emulator {

void StreamQueue::add(std::unique_ptr<Node> node) {
    node->queued.release();
    {
        const Quiet quiet;
        nodes_.push_back(std::move(node));
    }
    if (!schedule().lazy)
        while (step()) {
        }
}
void StreamQueue::push(std::function<void()> work) {
    if (capture_ != nullptr) return capture_->add(this, std::move(work));
    auto node = std::make_unique<Node>();
    node->work = std::move(work);
    add(std::move(node));
}
void StreamQueue::push_until(std::function<bool()> done) {
    if (capture_ != nullptr) die("work that goes on elsewhere can't be captured");
    auto node = std::make_unique<Node>();
    node->done = std::move(done);
    add(std::move(node));
}
void StreamQueue::record(Event& event) {
    event.capture = capture_;
    event.was_captured = capture_ != nullptr;
    if (capture_ != nullptr) return capture_->record(this, event);
    auto node = std::make_unique<Node>();
    node->recorded = &event;
    node->order = event.order = std::make_shared<Order>();
    ++event.recorded;
    add(std::move(node));
}
cudaError_t StreamQueue::wait(Event& event) {
    if (event.capture != nullptr) {
        if (capture_ != nullptr && capture_ != event.capture) return cudaErrorStreamCaptureMerge;
        capture_ = event.capture;
        capture_->wait(this, event);
        return cudaSuccess;
    }
    if (event.was_captured) return cudaErrorCapturedEvent;
    if (capture_ != nullptr) {
        capture_->break_off();
        return cudaErrorStreamCaptureIsolation;
    }
    auto node = std::make_unique<Node>();
    node->awaited = &event;
    node->order = event.order;
    node->target = event.recorded;
    add(std::move(node));
    return cudaSuccess;
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
        std::unique_ptr<Node> node;
        {
            const Quiet quiet;
            node = std::move(nodes_.front());
            nodes_.pop_front();
        }
        if (node->work) node->work();
        if (node->recorded != nullptr) {
            node->order->release();
            ++node->recorded->done;
        }
        if (node->awaited != nullptr && node->order) node->order->acquire();
        const Quiet quiet;
        node.reset();
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
    if (stream->capture() != nullptr) die("a stream is destroyed while it captures");
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
        if (!step()) give_way();
}
void Streams::begin_capture(StreamQueue& stream, bool forbids) {
    stream.set_capture(captures_.emplace_back(std::make_unique<Capture>(&stream, forbids)).get());
}
std::unique_ptr<Capture> Streams::end_capture(StreamQueue& origin) {
    for (StreamQueue* stream : origin.capture()->streams())
        if (stream != &origin) stream->set_capture(nullptr);
    const auto found = std::find_if(captures_.begin(), captures_.end(),
                                    [&](const auto& one) { return one.get() == origin.capture(); });
    std::unique_ptr<Capture> capture = std::move(*found);
    captures_.erase(found);
    origin.set_capture(nullptr);
    for (Event* event : capture->events()) event->capture = nullptr;
    return capture;
}
bool Streams::is_forbidden() {
    bool is = false;
    for (const auto& capture : captures_)
        if (capture->forbids()) {
            capture->break_off();
            is = true;
        }
    return is;
}
bool Streams::is_forbidden(const StreamQueue& stream) {
    if (stream.capture() == nullptr) return false;
    stream.capture()->break_off();
    return true;
}

bool Streams::all_empty() const {
    return std::all_of(all_.begin(), all_.end(), [](const auto& one) { return one->empty(); });
}
void Streams::drain_all() {
    drain([&] { return all_empty(); });
    for (const auto& one : all_) one->order.acquire();
}
void Streams::retire(Event* event) {
    if (event->capture != nullptr) event->capture->forget(event);
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
