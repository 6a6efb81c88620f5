// The device through CUDA's run time, and the library's one entry.

#include <cuda_runtime_api.h>
#include <nvtx3/nvToolsExt.h>

#include <cstring>
#include <memory>

#include "comm/nccl/nccl_communicator.hpp"
#ifndef POLYTRAIN_CUDA_EMULATOR
#include "kernels/cuda/attention_cudnn.hpp"
#endif
#include "kernels/cuda/check.hpp"
#include "kernels/cuda/graph.hpp"
#include "kernels/cuda/grouped_products.hpp"
#include "kernels/cuda/register.hpp"
#include "kernels/cuda/staging.hpp"
#include "tensor/backend_library.hpp"

namespace polytrain::cuda {
namespace {

cudaStream_t stream_of(StreamHandle handle) {
    return static_cast<cudaStream_t>(handle);
}

DeviceInfo describe(int index) {
    cudaDeviceProp properties{};
    cuda_check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
    if (properties.major < 8)
        fail(ExitCode::kBadConfig,
             "device: \"cuda\": {} has compute capability {}.{}; PolyTrain's kernels need 8.0 "
             "(A100) "
             "or later",
             properties.name, properties.major, properties.minor);
    DeviceInfo info;
    info.name = properties.name;
    info.multiprocessors = properties.multiProcessorCount;
    info.most_shared = properties.sharedMemPerBlockOptin;
    return info;
}

class CudaBackend final : public Backend {
  public:
    explicit CudaBackend(int index) : index_(index) {
        cuda_check(cudaSetDevice(index), "cudaSetDevice");
        info_ = describe(index);
    }

    Device device() const override { return {DeviceType::kCuda, index_}; }
    std::string description() const override { return info_.name; }

    void* allocate(size_t bytes) override {
        void* data = nullptr;
        const cudaError_t error = cudaMalloc(&data, bytes == 0 ? 1 : bytes);
        if (error == cudaErrorMemoryAllocation) {
            (void)cudaGetLastError();
            size_t free = 0, total = 0;
            cuda_check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
            fail(
                ExitCode::kInternal,
                "out of memory: {:.1f} MiB asked of {}, which has {:.1f} MiB free of {:.1f}. Lower "
                "train.micro_batch or model.context, or set train.recompute",
                mebibytes(bytes), info_.name, mebibytes(free), mebibytes(total));
        }
        cuda_check(error, "cudaMalloc");
        return data;
    }
    void release(void* data, size_t) noexcept override { (void)cudaFree(data); }

    void copy(void* to, const void* from, size_t bytes, CopyKind kind,
              StreamHandle stream) override {
        if (bytes == 0) return;
        switch (kind) {
            case CopyKind::kHostToDevice:
                return staging_.upload(to, from, bytes, stream_of(stream));
            case CopyKind::kDeviceToHost:
                cuda_check(
                    cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_of(stream)),
                    "cudaMemcpyAsync to the host");
                return synchronize(stream);
            case CopyKind::kDeviceToDevice:
                cuda_check(
                    cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_of(stream)),
                    "cudaMemcpyAsync");
        }
    }
    void zero(void* data, size_t bytes, StreamHandle stream) override {
        if (bytes > 0)
            cuda_check(cudaMemsetAsync(data, 0, bytes, stream_of(stream)), "cudaMemsetAsync");
    }

    StreamHandle make_stream() override {
        cudaStream_t stream = nullptr;
        cuda_check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking),
                   "cudaStreamCreateWithFlags");
        return stream;
    }
    void destroy_stream(StreamHandle stream) noexcept override {
        (void)cudaStreamDestroy(stream_of(stream));
    }
    void synchronize(StreamHandle stream) override {
        cuda_check(cudaStreamSynchronize(stream_of(stream)), "cudaStreamSynchronize");
    }

    RecordingHandle record(const std::function<void()>& queue, StreamHandle stream) override {
        return record_graph(queue, stream_of(stream));
    }
    void replay(RecordingHandle graph, StreamHandle stream) override {
        cuda_check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(stream)),
                   "cudaGraphLaunch");
    }
    void destroy_recording(RecordingHandle graph) noexcept override {
        (void)cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
    }

    void begin_range(const char* name) override { (void)nvtxRangePushA(name); }
    void end_range() noexcept override { (void)nvtxRangePop(); }

    void register_ops(OpTable& table) override {
#ifndef POLYTRAIN_CUDA_EMULATOR  // cuDNN has no stand-in: the attention that is emulated is ours
        register_attention_cudnn(table, cudnn_);
#endif
        register_cuda_ops(table, info_, products_, grouped_products_);
    }

    std::unique_ptr<Communicator> make_communicator(Communicator& host, const DeviceGroup& group,
                                                    StreamHandle stream) override {
        return make_nccl_communicator(host, group, stream);
    }

  private:
    static double mebibytes(size_t bytes) {
        return static_cast<double>(bytes) / 1048576.0;
    }

    int index_;
    DeviceInfo info_;
    Staging staging_;
    Products products_;
    GroupedProducts grouped_products_;
#ifndef POLYTRAIN_CUDA_EMULATOR
    CudnnContext cudnn_;
#endif
};

}  // namespace
}  // namespace polytrain::cuda

// See tensor/backend_library.hpp.
extern "C" polytrain::Backend* polytrain_cuda_backend(int version, int local_rank, char* why,
                                                      size_t why_bytes) {
    const auto refuse = [&](const char* reason) -> polytrain::Backend* {
        std::strncpy(why, reason, why_bytes - 1);
        why[why_bytes - 1] = '\0';
        return nullptr;
    };
    if (version != polytrain::kBackendVersion)
        return refuse("the library is of another version of PolyTrain");
    int devices = 0;
    if (const cudaError_t error = cudaGetDeviceCount(&devices); error != cudaSuccess)
        return refuse(cudaGetErrorString(error));
    if (devices == 0) return refuse("no CUDA device");
    try {
        return new polytrain::cuda::CudaBackend(local_rank % devices);
    } catch (const std::exception& error) {
        return refuse(error.what());
    }
}
