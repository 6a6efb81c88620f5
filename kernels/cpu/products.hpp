#pragma once
// Matrix products by oneDNN, each by one thread: oneDNN's own threading may split a sum by the
// number of threads, and then the bits would depend on it. Who wants several threads cuts a product
// into parts that depend on shapes alone.

#include <memory>

#include "core/thread_pool.hpp"
#include "ops/op_table.hpp"

namespace polytrain::cpu {

// A matrix in memory, f32 or bf16; strides in elements.
struct Matrix {
    std::byte* data;
    DType dtype;
    int64_t row_stride, column_stride;

    // Null data is fine: scratch is planned before there is memory.
    Matrix(const Tensor& tensor, int64_t row, int64_t column)
        : data(static_cast<std::byte*>(tensor.data)),
          dtype(tensor.dtype),
          row_stride(row),
          column_stride(column) {}
    // The matrix that begins so many elements later, or at an element of this one.
    Matrix moved(int64_t elements) const {
        Matrix other = *this;
        if (data != nullptr) other.data += elements * static_cast<int64_t>(size_of(dtype));
        return other;
    }
    Matrix from(int64_t row, int64_t column) const {
        return moved(row * row_stride + column * column_stride);
    }
};

// c[rows, columns] = a[rows, inner] b[inner, columns], added to c when `add`.
struct Product {
    int64_t rows, columns, inner;
    Matrix a, b, c;
    bool add = false;
};

// The grid that a product of this size is cut into: tiles of at least 64 x 64, halved along the
// longer side until there are enough parts for many cores.
struct Grid {
    Partition rows, columns;

    Grid(int64_t row_count, int64_t column_count);
    int64_t parts() const { return rows.parts() * columns.parts(); }
    Product part(const Product& p, int64_t part) const;
};

// Runs products by oneDNN's primitives, which it makes once for each shape and keeps.
class Products {
  public:
    // For threads [0, threads).
    explicit Products(int threads);
    ~Products();

    // oneDNN multiplies bf16 on processors with AVX-512 alone.
    static bool has_bf16();
    // Whether by instructions made for it (AVX512-BF16, AMX), rather than by those of f32.
    static bool has_bf16_instructions();
    // Whether at more than the speed of f32: by AMX, or by dot products on AMD; Intel's take twice
    // as long as those of f32.
    static bool has_fast_bf16();
    // Bytes that run() of a product of these sizes, strides and types needs, a multiple of a cache
    // line; the same of the largest part of `grid`. They make the primitives too.
    size_t scratchpad_bytes(const Product& p);
    size_t scratchpad_bytes(const Product& p, const Grid& grid);
    // No size may be 0.
    void run(const Product& p, int thread, std::byte* scratchpad);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Implementation "onednn" of an op whose tensor `storage` is f32, or bf16 where oneDNN has it.
template <class Op>
void add_onednn(OpTable& table, Tensor Op::*storage, std::function<void(const Op&)> run,
                std::function<size_t(const Op&)> scratch_bytes) {
    table.add<Op>({"onednn",
                   [storage](const Op& op) {
                       const DType dtype = (op.*storage).dtype;
                       return dtype == DType::kF32 ||
                              (dtype == DType::kBf16 && Products::has_bf16());
                   },
                   [run = std::move(run)](const Op& op, const Stream&) { run(op); },
                   std::move(scratch_bytes)});
}

}  // namespace polytrain::cpu
