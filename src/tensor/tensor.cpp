#include "tensor/tensor.hpp"

namespace polytrain {

Tensor Tensor::rows(int64_t begin, int64_t end) const {
    PT_CHECK(shape.rank() >= 1 && shape.rank() <= 2 && 0 <= begin && begin <= end && end <= dim(0),
             "rows {} to {} of {}", begin, end, shape.text());
    const int64_t width = shape.rank() == 2 ? dim(1) : 1;
    Tensor part = *this;
    part.data =
        static_cast<std::byte*>(data) + begin * width * static_cast<int64_t>(size_of(dtype));
    part.shape = shape.rank() == 2 ? Shape{end - begin, width} : Shape{end - begin};
    return part;
}

Tensor Tensor::reshaped(Shape other) const {
    PT_CHECK(other.elements() == elements(), "{} reshaped to {}", shape.text(), other.text());
    Tensor view = *this;
    view.shape = other;
    return view;
}

}  // namespace polytrain
