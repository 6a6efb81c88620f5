#include "cuda_emulator/matrix.hpp"

#include <bit>

#include "cuda_emulator/annotations.hpp"
#include "cuda_emulator/execution.hpp"

namespace polytrain::emulator {
namespace {

size_t element_bytes(cudaDataType_t type) {
    return type == CUDA_R_32F ? 4 : 2;
}

float read(const Matrix& matrix, int64_t row, int64_t column) {
    const int64_t at = column * matrix.leading + row;
    if (matrix.type == CUDA_R_32F) return static_cast<const float*>(matrix.data)[at];
    return std::bit_cast<float>(uint32_t{static_cast<const uint16_t*>(matrix.data)[at]} << 16);
}

void write(const Matrix& matrix, int64_t row, int64_t column, float value) {
    const int64_t at = column * matrix.leading + row;
    void* data = const_cast<void*>(matrix.data);
    if (matrix.type == CUDA_R_32F) {
        static_cast<float*>(data)[at] = value;
        return;
    }
    const auto u = std::bit_cast<uint32_t>(value);
    const bool is_nan = (u & 0x7fffffffu) > 0x7f800000u;
    static_cast<uint16_t*>(data)[at] =
        static_cast<uint16_t>(is_nan ? (u >> 16) | 0x40u : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

size_t bytes_of(const Matrix& matrix) {
    return static_cast<size_t>((matrix.columns - 1) * matrix.leading + matrix.rows) *
           element_bytes(matrix.type);
}

}  // namespace

void check_matrix(const Matrix& matrix, const char* call) {
    if (matrix.type != CUDA_R_32F && matrix.type != CUDA_R_16BF)
        die("%s: a type that PolyTrain doesn't use", call);
    if (matrix.rows < 1 || matrix.columns < 1 || matrix.leading < matrix.rows)
        die("%s: a matrix of %lld x %lld with leading dimension %lld", call,
            static_cast<long long>(matrix.rows), static_cast<long long>(matrix.columns),
            static_cast<long long>(matrix.leading));
    if (reinterpret_cast<uintptr_t>(matrix.data) % element_bytes(matrix.type) != 0)
        die("%s: a misaligned matrix", call);
    check_device_range(matrix.data, bytes_of(matrix), call);
}

void multiply(const Matrix& a, const Matrix& b, float beta, const Matrix& c) {
    note_read(a.data, bytes_of(a));
    note_read(b.data, bytes_of(b));
    note_write(const_cast<void*>(c.data), bytes_of(c));
    const int64_t inner = a.transposed ? a.rows : a.columns;
    for (int64_t j = 0; j < c.columns; ++j)
        for (int64_t i = 0; i < c.rows; ++i) {
            float sum = 0;
            for (int64_t k = 0; k < inner; ++k)
                sum += (a.transposed ? read(a, k, i) : read(a, i, k)) *
                       (b.transposed ? read(b, j, k) : read(b, k, j));
            write(c, i, j, beta == 0 ? sum : sum + beta * read(c, i, j));
        }
}

}  // namespace polytrain::emulator
