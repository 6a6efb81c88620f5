#pragma once
// Products of many groups of rows in one launch, by cuBLAS.

#include <cublas_v2.h>

#include <cstdint>
#include <vector>

#include "kernels/cuda/products.hpp"

namespace polytrain::cuda {

class GroupedProducts {
  public:
    GroupedProducts();
    ~GroupedProducts();
    GroupedProducts(const GroupedProducts&) = delete;
    GroupedProducts& operator=(const GroupedProducts&) = delete;

    struct Group {
        Product product;
        const void *a, *b;
        void* c;
    };
    // Bytes of scratch for so many groups, `largest` being the largest there may be.
    static size_t scratch_bytes(int64_t groups, const Product& largest);
    // Queues them. All have the same dtypes, and rows. In one launch where none adds and
    // results are of the operands' type (the library has no other kind), else one after another.
    void run(const std::vector<Group>& groups, const Tensor& scratch, const Stream& stream);

  private:
    void run_together(const std::vector<Group>& groups, const Tensor& table, const Stream& stream);

    cublasHandle_t handle_ = nullptr;
};

}  // namespace polytrain::cuda
