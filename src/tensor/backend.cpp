#include "tensor/backend.hpp"

#include <utility>

namespace polytrain {

RecordingHandle Backend::record(const std::function<void()>&, StreamHandle) {
    return nullptr;
}
void Backend::replay(RecordingHandle, StreamHandle) {
    PT_CHECK(false, "{} records nothing", description());
}

Buffer::Buffer(Backend& backend, size_t bytes)
    : backend_(&backend), data_(backend.allocate(bytes)), bytes_(bytes) {}

Buffer::~Buffer() {
    if (data_ != nullptr) backend_->release(data_, bytes_);
}

Buffer::Buffer(Buffer&& other) noexcept
    : backend_(other.backend_),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

void Stream::zero(const Tensor& tensor) const {
    backend_.zero(tensor.data, tensor.bytes(), handle_);
}

void Stream::copy(const Tensor& to, const Tensor& from) const {
    PT_CHECK(to.shape == from.shape && to.dtype == from.dtype, "copy of {} {} to {} {}",
             name_of(from.dtype), from.shape.text(), name_of(to.dtype), to.shape.text());
    backend_.copy(to.data, from.data, to.bytes(), CopyKind::kDeviceToDevice, handle_);
}

void Stream::upload(const Tensor& to, const void* host, size_t bytes) const {
    PT_CHECK(bytes == to.bytes(), "upload of {} bytes to {}", bytes, to.shape.text());
    backend_.copy(to.data, host, bytes, CopyKind::kHostToDevice, handle_);
}

void Stream::download(void* host, const Tensor& from, size_t bytes) const {
    PT_CHECK(bytes == from.bytes(), "download of {} into {} bytes", from.shape.text(), bytes);
    backend_.copy(host, from.data, bytes, CopyKind::kDeviceToHost, handle_);
}

}  // namespace polytrain
