#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace polytrain {

// exp(-sum_i p_i log p_i), p_i = s_i / sum_j s_j, of the singular values s of a row-major matrix
// [rows, columns] with at least one element: from 1 to min(rows, columns), which it has for equal
// singular values. Source: Roy and Vetterli, "The effective rank", 2007. A matrix of zeros: 0.
//
// The singular values are roots of the eigenvalues of the smaller Gram matrix, [n, n] in f64, whose
// errors are about n 2^-52 of the largest: smaller ones count as zero. Singular values below d =
// sqrt(n 2^-52) of the largest so are lost, which moves the result by at most about n d (1 - log d)
// of it, 2 % for n = 2048, where all but one are just below d.
//
// A number that is not finite, or eigenvalues that aren't found: exit 76; `name` (the tensor's)
// begins the message.
double effective_rank(std::span<const float> matrix, int64_t rows, int64_t columns,
                      const std::string& name);

}  // namespace polytrain
