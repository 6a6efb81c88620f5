#pragma once

#include <cstdint>
#include <span>

namespace polytrain {

// exp(-sum_i p_i log p_i), p_i = s_i / sum_j s_j, of the singular values s of a row-major matrix
// [rows, columns] with at least one element: from 1 to min(rows, columns), which it has for equal
// singular values. Source: Roy and Vetterli, "The effective rank", 2007. A matrix of zeros: 0.
//
// The singular values are roots of the eigenvalues of the smaller Gram matrix, in f64: those below
// 1e-8 of the largest are not exact, which moves the result by less than 1e-5 of it.
double effective_rank(std::span<const float> matrix, int64_t rows, int64_t columns);

}  // namespace polytrain
