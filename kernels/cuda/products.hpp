#pragma once
// Matrix products by cuBLASLt: the one function through which they go.

#include <cublasLt.h>

#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "tensor/backend.hpp"

namespace polytrain::cuda {

// c = a b, or with `adds` c += a b, in cuBLAS's column-major terms: a is m x k (k x m where
// transposed), b is k x n (n x k), c is m x n; the leading dimension is the stored first one. Both
// operands have the dtype `operands`; sums are f32.
struct Product {
    int64_t m = 0, n = 0, k = 0;
    bool transposes_a = false, transposes_b = false, adds = false;
    DType operands = DType::kF32, result = DType::kF32;

    auto operator<=>(const Product&) const = default;
};

// Row-major y_NO = x_NI w_OI^T; dx_NI = dy_NO w_OI; dw_OI += dy_NO^T x_NI. In the order of
// arguments that these take, a is w, w, x and b is x, dy, dy.
Product forward_product(int64_t rows, int64_t in, int64_t out, DType storage);
Product input_product(int64_t rows, int64_t in, int64_t out, DType storage);
Product weight_product(int64_t rows, int64_t in, int64_t out, DType storage);

class Products {
  public:
    Products();
    ~Products();
    Products(const Products&) = delete;
    Products& operator=(const Products&) = delete;

    // What `workspace` of run() must have: room for partial sums, which are added in a fixed order.
    static size_t workspace_bytes(const Product& product);

    // Queues it. The algorithm is the library's first choice that runs, kept for the next product
    // of these sizes and alignments; none that sums by atomics. Errors are exit 70.
    void run(const Product& product, const void* a, const void* b, void* c, const Tensor& workspace,
             const Stream& stream);

  private:
    struct Plan;
    using Key = std::tuple<Product, unsigned, unsigned, unsigned, size_t>;
    Plan& plan_for(const Product& product, const void* a, const void* b, const void* c,
                   size_t workspace);

    cublasLtHandle_t handle_ = nullptr;
    std::map<Key, std::unique_ptr<Plan>> plans_;
};

}  // namespace polytrain::cuda
