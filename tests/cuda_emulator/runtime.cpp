// The functions of CUDA's run-time library that PolyTrain uses, with their real names and headers.

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <thread>

#include "cuda_emulator/annotations.hpp"
#include "cuda_emulator/execution.hpp"
#include "cuda_emulator/memory.hpp"
#include "cuda_emulator/runtime.hpp"
#include "cuda_emulator/shared_memory.hpp"
#include "cuda_emulator/streams.hpp"

using namespace polytrain::emulator;

namespace {

// Of an H100, but for few multiprocessors, so that small tests give each several rows.
constexpr int kDevices = 4, kMultiprocessors = 4;

// The thread that the device's work is done in: a query by another does none.
const std::thread::id main_thread = std::this_thread::get_id();
int device = 0;
std::map<const void*, size_t> allowed_shared;  // by kernel
std::map<void*, size_t> pinned;
cudaError_t last_error = cudaSuccess;

Event& event_of(cudaEvent_t event) {
    if (event == nullptr) die("a null event");
    return *reinterpret_cast<Event*>(event);
}
void check_side(const void* data, size_t bytes, bool on_device, const char* what) {
    if (on_device)
        check_device_range(data, bytes, what);
    else if (bytes > 0 && is_device(data))
        die("%s: host memory is said, device memory is given", what);
}
void copy_now(void* to, const void* from, size_t bytes) {
    note_read(from, bytes);
    note_write(to, bytes);
    copy_bytes(to, from, bytes);
}
cudaError_t check_limits(dim3 grid, dim3 block, size_t dynamic_bytes, const void* kernel) {
    const size_t threads = size_t{block.x} * block.y * block.z;
    const auto allowed = allowed_shared.find(kernel);
    const size_t most = allowed == allowed_shared.end() ? kMostStaticShared : allowed->second;
    if (threads < 1 || threads > 1024 || block.z > 64 || grid.x < 1 || grid.x > 0x7fffffffu ||
        grid.y < 1 || grid.y > 65535 || grid.z < 1 || grid.z > 65535)
        return cudaErrorInvalidConfiguration;
    return dynamic_bytes <= most ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace

namespace polytrain::emulator {

void give_way() {
    run_time_mutex().unlock();
    std::this_thread::yield();
    run_time_mutex().lock();
}
std::recursive_mutex& run_time_mutex() {
    static std::recursive_mutex one;
    return one;
}
cudaError_t answer(cudaError_t error) {
    if (error != cudaSuccess) last_error = error;
    return error;
}
bool is_pinned(const void* data, size_t bytes) {
    const auto* at = static_cast<const char*>(data);
    return std::any_of(pinned.begin(), pinned.end(), [&](const auto& one) {
        const auto* first = static_cast<const char*>(one.first);
        return at >= first && at + bytes <= first + one.second;
    });
}

cudaError_t launch(const void* kernel, dim3 grid, dim3 block, size_t dynamic_bytes,
                   cudaStream_t stream, std::function<void()> body) {
    const std::lock_guard lock(run_time_mutex());
    const cudaError_t error = check_limits(grid, block, dynamic_bytes, kernel);
    if (error != cudaSuccess) return answer(error);
    const Capture* capture = streams().checked(stream).capture();
    if (capture != nullptr && capture->is_broken())
        return answer(cudaErrorStreamCaptureInvalidated);
    enqueue(stream, [=] { run_grid(grid, block, dynamic_bytes, body); });
    return cudaSuccess;
}

}  // namespace polytrain::emulator

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
    *count = kDevices;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int index) {
    if (index < 0 || index >= kDevices) return answer(cudaErrorInvalidDevice);
    device = index;
    return cudaSuccess;
}
cudaError_t cudaGetDevice(int* index) {
    *index = device;
    return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index) {
    if (index < 0 || index >= kDevices) return answer(cudaErrorInvalidDevice);
    *properties = {};
    std::strcpy(properties->name, "emulated device (no GPU)");
    properties->major = 9;
    properties->multiProcessorCount = kMultiprocessors;
    properties->totalGlobalMem = device_bytes_total();
    properties->sharedMemPerBlock = kMostStaticShared;
    properties->sharedMemPerBlockOptin = kMostShared;
    properties->maxThreadsPerBlock = 1024;
    properties->warpSize = 32;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
    switch (attribute) {
        case cudaDevAttrMaxSharedMemoryPerBlockOptin:
            *value = static_cast<int>(kMostShared);
            return cudaSuccess;
        case cudaDevAttrMultiProcessorCount:
            *value = kMultiprocessors;
            return cudaSuccess;
        case cudaDevAttrComputeCapabilityMajor:
            *value = 9;
            return cudaSuccess;
        case cudaDevAttrComputeCapabilityMinor:
            *value = 0;
            return cudaSuccess;
        default:
            die("cudaDeviceGetAttribute: attribute %d isn't emulated", static_cast<int>(attribute));
    }
}
cudaError_t cudaDriverGetVersion(int* version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
    const std::lock_guard lock(run_time_mutex());
    *free = device_bytes_free();
    *total = device_bytes_total();
    return cudaSuccess;
}

const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
        case cudaSuccess:
            return "cudaSuccess";
        case cudaErrorInvalidValue:
            return "cudaErrorInvalidValue";
        case cudaErrorMemoryAllocation:
            return "cudaErrorMemoryAllocation";
        case cudaErrorInvalidConfiguration:
            return "cudaErrorInvalidConfiguration";
        case cudaErrorInvalidDevice:
            return "cudaErrorInvalidDevice";
        case cudaErrorNotReady:
            return "cudaErrorNotReady";
        case cudaErrorStreamCaptureUnsupported:
            return "cudaErrorStreamCaptureUnsupported";
        case cudaErrorStreamCaptureInvalidated:
            return "cudaErrorStreamCaptureInvalidated";
        case cudaErrorStreamCaptureUnjoined:
            return "cudaErrorStreamCaptureUnjoined";
        case cudaErrorStreamCaptureIsolation:
            return "cudaErrorStreamCaptureIsolation";
        case cudaErrorCapturedEvent:
            return "cudaErrorCapturedEvent";
        default:
            return "cudaError";
    }
}
const char* cudaGetErrorString(cudaError_t error) {
    return cudaGetErrorName(error);
}
cudaError_t cudaGetLastError() {
    const cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}
cudaError_t cudaPeekAtLastError() {
    return last_error;
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
    const std::lock_guard lock(run_time_mutex());
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize)
        die("cudaFuncSetAttribute: attribute %d isn't emulated", static_cast<int>(attribute));
    if (value < 0 || static_cast<size_t>(value) > kMostShared) return answer(cudaErrorInvalidValue);
    allowed_shared[kernel] = static_cast<size_t>(value);
    return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, size_t bytes) {
    const std::lock_guard lock(run_time_mutex());
    if (streams().is_forbidden()) return answer(cudaErrorStreamCaptureUnsupported);
    *data = bytes == 0 ? nullptr : allocate_device(bytes);
    return *data == nullptr && bytes > 0 ? answer(cudaErrorMemoryAllocation) : cudaSuccess;
}
cudaError_t cudaFree(void* data) {
    const std::lock_guard lock(run_time_mutex());
    if (data == nullptr) return cudaSuccess;
    if (streams().is_forbidden()) return answer(cudaErrorStreamCaptureUnsupported);
    streams().drain_all();
    free_device(data);
    return cudaSuccess;
}
cudaError_t cudaMallocHost(void** data, size_t bytes) {
    const std::lock_guard lock(run_time_mutex());
    if (streams().is_forbidden()) return answer(cudaErrorStreamCaptureUnsupported);
    *data = ::operator new(bytes);
    pinned[*data] = bytes;
    return cudaSuccess;
}
cudaError_t cudaFreeHost(void* data) {
    const std::lock_guard lock(run_time_mutex());
    if (data == nullptr) return cudaSuccess;
    if (streams().is_forbidden()) return answer(cudaErrorStreamCaptureUnsupported);
    streams().drain_all();
    if (pinned.erase(data) == 0) die("cudaFreeHost of what cudaMallocHost didn't give");
    ::operator delete(data);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    const std::lock_guard lock(run_time_mutex());
    check_side(to, bytes, kind != cudaMemcpyDeviceToHost, "cudaMemcpyAsync to");
    check_side(from, bytes, kind != cudaMemcpyHostToDevice, "cudaMemcpyAsync from");
    const bool is_pageable = (kind == cudaMemcpyDeviceToHost && !is_pinned(to, bytes)) ||
                             (kind == cudaMemcpyHostToDevice && !is_pinned(from, bytes));
    if (is_pageable && Streams::is_forbidden(streams().checked(stream)))
        return answer(cudaErrorStreamCaptureUnsupported);
    enqueue(stream, [=] { copy_now(to, from, bytes); });
    return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t stream) {
    const std::lock_guard lock(run_time_mutex());
    check_device_range(data, bytes, "cudaMemsetAsync");
    enqueue(stream, [=] {
        note_write(data, bytes);
        fill_bytes(data, value, bytes);
    });
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
    const std::lock_guard lock(run_time_mutex());
    if (flags != cudaStreamNonBlocking)
        die("a stream that waits for the default stream: make it cudaStreamNonBlocking");
    *stream = reinterpret_cast<cudaStream_t>(streams().create());
    return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
    return cudaStreamCreateWithFlags(stream, flags);
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
    *least = 0;
    *greatest = -5;
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    const std::lock_guard lock(run_time_mutex());
    streams().destroy(&streams().checked(stream));
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    const std::lock_guard lock(run_time_mutex());
    StreamQueue& queue = streams().checked(stream);
    if (Streams::is_forbidden(queue)) return answer(cudaErrorStreamCaptureUnsupported);
    streams().drain([&] { return queue.empty(); });
    queue.order.acquire();
    return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
    const std::lock_guard lock(run_time_mutex());
    StreamQueue& queue = streams().checked(stream);
    if (Streams::is_forbidden(queue)) return answer(cudaErrorStreamCaptureUnsupported);
    if (std::this_thread::get_id() == main_thread) streams().step();
    if (!queue.empty()) return cudaErrorNotReady;
    queue.order.acquire();
    return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
    const std::lock_guard lock(run_time_mutex());
    if (streams().is_forbidden()) return answer(cudaErrorStreamCaptureUnsupported);
    streams().drain_all();
    return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    const std::lock_guard lock(run_time_mutex());
    return answer(streams().checked(stream).wait(event_of(event)));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = reinterpret_cast<cudaEvent_t>(new Event);
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    const std::lock_guard lock(run_time_mutex());
    streams().retire(&event_of(event));
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    const std::lock_guard lock(run_time_mutex());
    streams().checked(stream).record(event_of(event));
    return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
    const std::lock_guard lock(run_time_mutex());
    Event& own = event_of(event);
    if (own.was_captured) return answer(cudaErrorCapturedEvent);
    if (std::this_thread::get_id() == main_thread) streams().step();
    if (own.done < own.recorded) return cudaErrorNotReady;
    if (own.order) own.order->acquire();
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    const std::lock_guard lock(run_time_mutex());
    Event& own = event_of(event);
    if (own.was_captured) return answer(cudaErrorCapturedEvent);
    streams().drain([&] { return own.done >= own.recorded; });
    if (own.order) own.order->acquire();
    return cudaSuccess;
}

}  // extern "C"
