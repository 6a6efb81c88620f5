#pragma once
// Tensor: a view of contiguous row-major elements on a device. It owns nothing.

#include "core/error.hpp"
#include "tensor/dtype.hpp"
#include "tensor/shape.hpp"

namespace polytrain {

enum class DeviceType : uint8_t { kCpu, kCuda };

struct Device {
    DeviceType type = DeviceType::kCpu;
    int index = 0;
    bool operator==(const Device&) const = default;
};

struct Tensor {
    void* data = nullptr;
    Shape shape{0};
    DType dtype = DType::kF32;
    Device device;

    // A tensor that an op may be given or not (dlogits when only the loss is wanted).
    bool present() const { return data != nullptr; }
    int64_t elements() const { return shape.elements(); }
    size_t bytes() const { return static_cast<size_t>(elements()) * size_of(dtype); }
    int64_t dim(int i) const { return shape[i]; }

    // The elements as T, which must be the tensor's type.
    template <class T>
    T* as() const {
        PT_CHECK(dtype == kDTypeOf<T>, "a {} tensor read as {}", name_of(dtype),
                 name_of(kDTypeOf<T>));
        return static_cast<T*>(data);
    }

    // Rows [begin, end) of the first dimension.
    Tensor rows(int64_t begin, int64_t end) const;
    // The same elements in another shape.
    Tensor reshaped(Shape other) const;
};

}  // namespace polytrain
