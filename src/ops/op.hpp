#pragma once
// What every op contract is made of. An op is a plain struct of views and numbers:
//
//     struct Name {
//         static constexpr std::string_view kName = "base.direction";
//         Tensor ...;                        // shapes in the suffixes, see docs/architecture.md
//         void check() const;                // shapes and dtypes; trips PT_CHECK
//         template <class F> static void tensors(F&& f);   // each tensor, by name, with its role
//     };
//
// Rules for all: outputs are overwritten, parameter gradients are added; N = 0 rows is legal; no op
// allocates (scratch is asked for with OpTable::scratch_bytes when the memory is planned). "acc"
// below is accumulator_of(storage type): f64 for f64, f32 for f32 and bf16. Vectors of parameters
// (gains, coefficients), row statistics and parameter gradients have the acc type.

#include <string_view>

#include "core/error.hpp"
#include "tensor/tensor.hpp"

namespace polytrain {

enum class Role : uint8_t {
    kInput,    // read
    kOutput,   // overwritten
    kSum,      // added to
    kUpdate,   // read, then overwritten
    kScratch,  // bytes of any content
};

// Trips unless the tensor has this shape and dtype.
inline void check_tensor(std::string_view op, std::string_view name, const Tensor& tensor,
                         const Shape& shape, DType dtype) {
    PT_CHECK(tensor.shape == shape && tensor.dtype == dtype, "{}: {} is {} {}, must be {} {}", op,
             name, name_of(tensor.dtype), tensor.shape.text(), name_of(dtype), shape.text());
}

}  // namespace polytrain
