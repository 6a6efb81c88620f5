#pragma once

#include "ops/op_table.hpp"

namespace polytrain {

// The sum of the squares of a tensor's elements (f64, f32 or bf16). Allocates what it needs: for
// tools and error messages, not for steps.
double squared_sum(const OpTable& ops, const Stream& stream, const Tensor& tensor);

}  // namespace polytrain
