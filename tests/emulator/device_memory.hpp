#pragma once
// Owners of what CUDA's run time hands out, for the tests of the emulator.

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "kernels/cuda/device.hpp"

namespace polytrain::emulator {

inline void must(cudaError_t error) {
    if (error == cudaSuccess) return;
    std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorName(error));
    std::abort();
}

class OwnStream {
  public:
    OwnStream() { must(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
    ~OwnStream() { must(cudaStreamDestroy(stream_)); }
    OwnStream(const OwnStream&) = delete;
    OwnStream& operator=(const OwnStream&) = delete;
    operator cudaStream_t() const { return stream_; }
    void synchronize() const { must(cudaStreamSynchronize(stream_)); }

  private:
    cudaStream_t stream_ = nullptr;
};

class OwnEvent {
  public:
    OwnEvent() { must(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
    ~OwnEvent() { must(cudaEventDestroy(event_)); }
    OwnEvent(const OwnEvent&) = delete;
    OwnEvent& operator=(const OwnEvent&) = delete;
    operator cudaEvent_t() const { return event_; }

  private:
    cudaEvent_t event_ = nullptr;
};

template <class T>
class DeviceArray {
  public:
    explicit DeviceArray(size_t count) : count_(count) {
        void* data = nullptr;
        must(cudaMalloc(&data, count * sizeof(T)));
        data_ = static_cast<T*>(data);
    }
    DeviceArray(const std::vector<T>& values, cudaStream_t stream) : DeviceArray(values.size()) {
        must(cudaMemcpyAsync(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice,
                             stream));
        must(cudaStreamSynchronize(stream));
    }
    ~DeviceArray() { must(cudaFree(data_)); }
    DeviceArray(const DeviceArray&) = delete;
    DeviceArray& operator=(const DeviceArray&) = delete;

    T* data() const { return data_; }
    size_t bytes() const { return count_ * sizeof(T); }
    std::vector<T> read(cudaStream_t stream) const {
        std::vector<T> values(count_);
        must(cudaMemcpyAsync(values.data(), data_, bytes(), cudaMemcpyDeviceToHost, stream));
        must(cudaStreamSynchronize(stream));
        return values;
    }

  private:
    T* data_ = nullptr;
    size_t count_;
};

// Memory of the host that copies may go on with beside the host's work.
template <class T>
class PinnedArray {
  public:
    explicit PinnedArray(size_t count) {
        void* data = nullptr;
        must(cudaMallocHost(&data, count * sizeof(T)));
        data_ = static_cast<T*>(data);
    }
    ~PinnedArray() { must(cudaFreeHost(data_)); }
    PinnedArray(const PinnedArray&) = delete;
    PinnedArray& operator=(const PinnedArray&) = delete;
    T* data() const { return data_; }
    T& operator[](size_t i) const { return data_[i]; }

  private:
    T* data_ = nullptr;
};

// One block of threads that each call f; f's copy is the kernel's argument.
template <class F>
void call_kernel(F f) {
    f();
}
template <class F>
void run_in_block(cudaStream_t stream, unsigned threads, F f) {
    must(cuda::launch_kernel(call_kernel<F>, dim3(1), dim3(threads), 0, stream, f));
}
template <class F>
void run_in_warp(cudaStream_t stream, F f) {
    run_in_block(stream, 32, f);
}

// 0, 1, 2, ...
inline std::vector<float> counting(size_t count, float from = 0) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = from + static_cast<float>(i);
    return values;
}

}  // namespace polytrain::emulator
