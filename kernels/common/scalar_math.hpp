#pragma once
// The functions that activations are written in, over double; see activations/list.hpp.

#include <cmath>

namespace polytrain::scalar_math {

inline double max_of(double a, double b) {
    return a > b ? a : b;
}
inline double if_positive(double x, double a, double b) {
    return x > 0 ? a : b;
}
inline double exp_of(double x) {
    return std::exp(x);
}
inline double erfc_of(double x) {
    return std::erfc(x);
}

}  // namespace polytrain::scalar_math
