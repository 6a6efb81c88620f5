#pragma once
// Tensors and vectors of the host.

#include <vector>

#include "tensor/backend.hpp"

namespace polytrain {

// A view of a vector.
template <class T>
Tensor host_view(std::vector<T>& values) {
    return {values.data(), {static_cast<int64_t>(values.size())}, kDTypeOf<T>, {}};
}

// A tensor's elements, which are of type T.
template <class T>
std::vector<T> to_host(const Stream& stream, const Tensor& tensor) {
    PT_CHECK(tensor.dtype == kDTypeOf<T>, "a {} tensor read as {}", name_of(tensor.dtype),
             name_of(kDTypeOf<T>));
    std::vector<T> host(static_cast<size_t>(tensor.elements()));
    stream.download(host.data(), tensor, tensor.bytes());
    return host;
}

}  // namespace polytrain
