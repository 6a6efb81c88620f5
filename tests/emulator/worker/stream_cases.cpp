#include "emulator/worker/cases.hpp"

namespace polytrain::emulator {
namespace {

void add_one(const float* x, float* y) {
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    y[i] = x[i] + 1;
}
void add_one_on(cudaStream_t stream, const DeviceArray<float>& x, const DeviceArray<float>& y,
                unsigned blocks) {
    must(cuda::launch_kernel(add_one, dim3(blocks), dim3(kThreads), 0, stream, x.data(), y.data()));
}

enum class EventBug { kNone, kNoWait, kRecordedTooEarly, kWaitedTooEarly };

// Two kernels, the second on another stream, which reads what the first wrote.
template <EventBug kBug>
bool two_streams(unsigned blocks) {
    const OwnStream first, second;
    const OwnEvent done;
    const auto x = counting(kThreads * size_t{blocks});
    const DeviceArray<float> in(x, first), middle(x.size()), out(x.size());
    if (kBug == EventBug::kRecordedTooEarly) must(cudaEventRecord(done, first));
    // Of an event that was never recorded: returns at once.
    if (kBug == EventBug::kWaitedTooEarly) must(cudaStreamWaitEvent(second, done, 0));
    add_one_on(first, in, middle, blocks);
    if (kBug != EventBug::kRecordedTooEarly) must(cudaEventRecord(done, first));
    if (kBug != EventBug::kNoWait && kBug != EventBug::kWaitedTooEarly)
        must(cudaStreamWaitEvent(second, done, 0));
    add_one_on(second, middle, out, blocks);
    const auto y = out.read(second);
    first.synchronize();
    return y == counting(x.size(), 2);
}
template <EventBug kBug>
bool one_block() {
    return two_streams<kBug>(1);
}
template <EventBug kBug>
bool several_blocks() {
    return two_streams<kBug>(5);
}

// The second use of an event is what is waited for.
template <bool kBug>
bool event_recorded_again() {
    const OwnStream first, second;
    const OwnEvent done;
    const DeviceArray<float> in(counting(kThreads), first), a(kThreads), b(kThreads), c(kThreads);
    add_one_on(first, in, a, 1);
    must(cudaEventRecord(done, first));
    if (kBug) must(cudaStreamWaitEvent(second, done, 0));
    add_one_on(first, a, b, 1);
    must(cudaEventRecord(done, first));
    if (!kBug) must(cudaStreamWaitEvent(second, done, 0));
    add_one_on(second, b, c, 1);
    const auto y = c.read(second);
    first.synchronize();
    return y == counting(kThreads, 3);
}

template <bool kBug>
bool host_reads_early() {
    const OwnStream stream;
    const DeviceArray<float> in(counting(kThreads), stream), out(kThreads);
    const PinnedArray<float> result(kThreads);
    for (size_t i = 0; i < kThreads; ++i) result[i] = -1;
    add_one_on(stream, in, out, 1);
    must(cudaMemcpyAsync(result.data(), out.data(), out.bytes(), cudaMemcpyDeviceToHost, stream));
    if (!kBug) stream.synchronize();
    const bool right = result[5] == 6;
    stream.synchronize();
    return right;
}

template <bool kBug>
bool host_overwrites_pinned() {
    const OwnStream stream;
    const DeviceArray<float> in(kThreads);
    const PinnedArray<float> source(kThreads);
    for (size_t i = 0; i < kThreads; ++i) source[i] = static_cast<float>(i);
    must(cudaMemcpyAsync(in.data(), source.data(), in.bytes(), cudaMemcpyHostToDevice, stream));
    if (!kBug) stream.synchronize();
    source[7] = 100;
    return in.read(stream) == counting(kThreads);
}

// Waiting for one stream says nothing of another.
template <bool kBug>
bool waits_for_the_wrong_stream() {
    const OwnStream first, second;
    const DeviceArray<float> in(counting(kThreads), first), out(kThreads);
    const PinnedArray<float> result(kThreads);
    for (size_t i = 0; i < kThreads; ++i) result[i] = -1;
    must(cudaMemcpyAsync(result.data(), in.data(), in.bytes(), cudaMemcpyDeviceToHost, first));
    (kBug ? second : first).synchronize();
    const bool right = result[5] == 5;
    must(cudaDeviceSynchronize());
    return right;
}

template <bool kBug>
bool default_stream() {
    const OwnStream stream;
    const DeviceArray<float> in(counting(kThreads), stream), out(kThreads);
    add_one_on(kBug ? nullptr : static_cast<cudaStream_t>(stream), in, out, 1);
    return out.read(stream)[0] == 1;
}

}  // namespace

std::vector<Case> stream_cases() {
    using enum EventBug;
    return {
        {"missing_wait_event", one_block<kNoWait>, one_block<kNone>},
        {"missing_wait_event_of_blocks", several_blocks<kNoWait>, several_blocks<kNone>},
        {"event_recorded_too_early", one_block<kRecordedTooEarly>, one_block<kNone>},
        {"event_waited_for_too_early", one_block<kWaitedTooEarly>, one_block<kNone>},
        {"event_recorded_again", event_recorded_again<true>, event_recorded_again<false>},
        {"host_reads_early", host_reads_early<true>, host_reads_early<false>},
        {"host_overwrites_pinned", host_overwrites_pinned<true>, host_overwrites_pinned<false>},
        {"waits_for_the_wrong_stream", waits_for_the_wrong_stream<true>,
         waits_for_the_wrong_stream<false>},
        {"default_stream", default_stream<true>, default_stream<false>},
    };
}

}  // namespace polytrain::emulator
