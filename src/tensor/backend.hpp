#pragma once
// Backend: the one object through which memory, copies, streams and op registration of a device
// go. The CPU's is kernels/cpu/backend.hpp. Buffer and Stream own what a backend hands out.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "tensor/tensor.hpp"

namespace polytrain {

class Communicator;
class OpTable;
struct DeviceGroup;

enum class CopyKind : uint8_t { kHostToDevice, kDeviceToHost, kDeviceToDevice };

// An ordered queue of work on a device; the CPU's queue is always empty, work is done at once.
using StreamHandle = void*;
// Work of a stream that was recorded (a CUDA graph).
using RecordingHandle = void*;

class Backend {
  public:
    Backend() = default;
    virtual ~Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;

    virtual Device device() const = 0;
    // "CPU, 2 threads", "NVIDIA H100 80GB HBM3": for people.
    virtual std::string description() const = 0;

    // At least kAlignment-aligned, not initialised. Out of memory throws exit 70 with the size.
    static constexpr size_t kAlignment = 256;
    virtual void* allocate(size_t bytes) = 0;
    virtual void release(void* data, size_t bytes) noexcept = 0;

    // Queued on the stream; host memory that was read may be reused on return, and what was written
    // is there.
    virtual void copy(void* to, const void* from, size_t bytes, CopyKind kind, StreamHandle) = 0;
    virtual void zero(void* data, size_t bytes, StreamHandle) = 0;

    virtual StreamHandle make_stream() = 0;
    virtual void destroy_stream(StreamHandle) noexcept = 0;
    // Returns when all work queued on the stream is done.
    virtual void synchronize(StreamHandle) = 0;

    // Keeps what `queue` queues on the stream, undone, for replay() to queue it as one, any number
    // of times; `queue` may neither wait for the device nor copy to or from the host. Null: not of
    // use on this device, and `queue` wasn't called. Throws what `queue` throws, or where the
    // device can't keep that work; then the stream is as before.
    virtual RecordingHandle record(const std::function<void()>& queue, StreamHandle);
    virtual void replay(RecordingHandle, StreamHandle);
    virtual void destroy_recording(RecordingHandle) noexcept {}

    // Names what the host queues in between, for a profiler; ranges nest.
    virtual void begin_range(const char*) {}
    virtual void end_range() noexcept {}

    // Adds this device's implementations to the table, first choice first.
    virtual void register_ops(OpTable& table) = 0;

    // A communicator of the ranks of `host` for this device's memory (comm/tensor_groups.hpp). All
    // of them call it. Null: the memory is the host's, and `host` will do.
    virtual std::unique_ptr<Communicator> make_communicator(Communicator& host,
                                                            const DeviceGroup& group,
                                                            StreamHandle stream) = 0;
};

// Owns device memory.
class Buffer {
  public:
    Buffer() = default;
    Buffer(Backend& backend, size_t bytes);
    ~Buffer();
    Buffer(Buffer&& other) noexcept;
    Buffer& operator=(Buffer&& other) noexcept;

    void* data() const { return data_; }
    size_t bytes() const { return bytes_; }

  private:
    Backend* backend_ = nullptr;
    void* data_ = nullptr;
    size_t bytes_ = 0;
};

// Owns a stream; what layers and the trainer pass to ops.
class Stream {
  public:
    explicit Stream(Backend& backend) : backend_(backend), handle_(backend.make_stream()) {}
    ~Stream() { backend_.destroy_stream(handle_); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    Backend& backend() const { return backend_; }
    StreamHandle handle() const { return handle_; }
    void synchronize() const { backend_.synchronize(handle_); }

    void zero(const Tensor& tensor) const;
    // Device to device, same shape and dtype.
    void copy(const Tensor& to, const Tensor& from) const;
    // `bytes` must be the tensor's. upload returns when `host` may be reused, download when it is
    // filled.
    void upload(const Tensor& to, const void* host, size_t bytes) const;
    void download(void* host, const Tensor& from, size_t bytes) const;

  private:
    Backend& backend_;
    StreamHandle handle_;
};

// A named range of a profiler, for as long as it lives.
class ProfileRange {
  public:
    ProfileRange(const Stream& stream, const std::string& name) : backend_(stream.backend()) {
        backend_.begin_range(name.c_str());
    }
    ~ProfileRange() { backend_.end_range(); }
    ProfileRange(const ProfileRange&) = delete;
    ProfileRange& operator=(const ProfileRange&) = delete;

  private:
    Backend& backend_;
};

}  // namespace polytrain
