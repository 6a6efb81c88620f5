#pragma once
// Column-major products for the stand-ins of cuBLAS and cuBLASLt, and the checks that both make.

#include <library_types.h>

#include <cstdint>

namespace polytrain::emulator {

struct Matrix {
    const void* data;
    cudaDataType_t type;
    int64_t rows, columns, leading;  // as stored
    bool transposed;
};

// c = a b + beta c over f32; alpha is 1. Device memory; ends the process where an operand isn't in
// it or its columns overlap. c is rows x columns.
void check_matrix(const Matrix& matrix, const char* call);
void multiply(const Matrix& a, const Matrix& b, float beta, const Matrix& c);

}  // namespace polytrain::emulator
