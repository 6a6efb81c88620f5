#include "tensor/shape.hpp"

#include "core/checked.hpp"
#include "core/error.hpp"

namespace polytrain {

Shape::Shape(std::initializer_list<int64_t> dims) : rank_(static_cast<int>(dims.size())) {
    PT_CHECK(dims.size() <= dims_.size(), "rank {} is over {}", dims.size(), dims_.size());
    int64_t product = 1;
    size_t i = 0;
    for (int64_t dim : dims) {
        PT_CHECK(dim >= 0 && !__builtin_mul_overflow(product, dim, &product),
                 "dimension {} is negative or the product overflows", dim);
        dims_[i++] = dim;
    }
}

int64_t Shape::elements() const {
    int64_t product = 1;
    for (int i = 0; i < rank_; ++i) product *= dims_[static_cast<size_t>(i)];
    return product;
}

std::string Shape::text() const {
    std::string text = "[";
    for (int i = 0; i < rank_; ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", (*this)[i]);
    return text + "]";
}

}  // namespace polytrain
