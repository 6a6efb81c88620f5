#include "kernels/cuda/grouped_products.hpp"

#include "core/error.hpp"

namespace polytrain::cuda {
namespace {

void blas_check(cublasStatus_t status, const char* call) {
    if (status != CUBLAS_STATUS_SUCCESS)
        fail(ExitCode::kInternal, "cuBLAS: {}: {} ({})", call, cublasGetStatusName(status),
             static_cast<int>(status));
}

cublasOperation_t operation_of(bool transposes) {
    return transposes ? CUBLAS_OP_T : CUBLAS_OP_N;
}
cudaDataType_t type_of(DType dtype) {
    return dtype == DType::kBf16 ? CUDA_R_16BF : CUDA_R_32F;
}

// Addresses of a, b and c of each group, which the library reads on the device.
size_t table_bytes(int64_t groups) {
    constexpr size_t kAlignment = Backend::kAlignment;
    return (static_cast<size_t>(groups) * 3 * sizeof(void*) + kAlignment - 1) / kAlignment *
           kAlignment;
}

}  // namespace

GroupedProducts::GroupedProducts() {
    blas_check(cublasCreate(&handle_), "cublasCreate");
}
GroupedProducts::~GroupedProducts() {
    (void)cublasDestroy(handle_);
}

size_t GroupedProducts::scratch_bytes(int64_t groups, const Product& largest) {
    return table_bytes(groups) + Products::workspace_bytes(largest);
}

void GroupedProducts::run(const std::vector<Group>& groups, const Tensor& scratch,
                          const Stream& stream) {
    if (groups.empty()) return;
    // In and out are the same for all groups: where one is 0 nothing is to be multiplied.
    if (const Product& any = groups[0].product; any.m == 0 || any.n == 0 || any.k == 0) {
        for (const Group& group : groups)
            if (const Product& p = group.product; p.k == 0 && !p.adds)
                stream.zero({group.c, {p.m * p.n}, p.result, {}});
        return;
    }
    blas_check(cublasSetStream(handle_, static_cast<cudaStream_t>(stream.handle())),
               "cublasSetStream");
    // The table is for as many groups as were planned, which are no fewer.
    const auto table = static_cast<int64_t>(table_bytes(static_cast<int64_t>(groups.size())));
    PT_CHECK(table <= scratch.dim(0), "{} groups of products", groups.size());
    blas_check(cublasSetWorkspace(handle_, static_cast<std::byte*>(scratch.data) + table,
                                  scratch.bytes() - static_cast<size_t>(table)),
               "cublasSetWorkspace");
    const Product& first = groups[0].product;
    if (!first.adds && first.operands == first.result)
        return run_together(groups, scratch.rows(0, table), stream);
    for (const Group& group : groups) {
        const Product& p = group.product;
        const float alpha = 1, beta = p.adds ? 1 : 0;
        blas_check(cublasGemmEx(handle_, operation_of(p.transposes_a), operation_of(p.transposes_b),
                                static_cast<int>(p.m), static_cast<int>(p.n), static_cast<int>(p.k),
                                &alpha, group.a, type_of(p.operands),
                                static_cast<int>(p.transposes_a ? p.k : p.m), group.b,
                                type_of(p.operands), static_cast<int>(p.transposes_b ? p.n : p.k),
                                &beta, group.c, type_of(p.result), static_cast<int>(p.m),
                                CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
                   "cublasGemmEx");
    }
}

void GroupedProducts::run_together(const std::vector<Group>& groups, const Tensor& table,
                                   const Stream& stream) {
    const size_t count = groups.size();
    std::vector<cublasOperation_t> transposes_a, transposes_b;
    std::vector<int> m, n, k, lda, ldb, sizes(count, 1);
    const std::vector<float> alpha(count, 1.0f), beta(count, 0.0f);
    std::vector<const void*> addresses(3 * count);  // all of a, of b, of c
    for (size_t i = 0; i < count; ++i) {
        const Product& p = groups[i].product;
        transposes_a.push_back(operation_of(p.transposes_a));
        transposes_b.push_back(operation_of(p.transposes_b));
        m.push_back(static_cast<int>(p.m));
        n.push_back(static_cast<int>(p.n));
        k.push_back(static_cast<int>(p.k));
        lda.push_back(static_cast<int>(p.transposes_a ? p.k : p.m));
        ldb.push_back(static_cast<int>(p.transposes_b ? p.n : p.k));
        addresses[i] = groups[i].a;
        addresses[count + i] = groups[i].b;
        addresses[2 * count + i] = groups[i].c;
    }
    stream.upload(table.rows(0, static_cast<int64_t>(addresses.size() * sizeof(void*))),
                  addresses.data(), addresses.size() * sizeof(void*));
    auto** const on_device = static_cast<const void**>(table.data);
    const cudaDataType_t type = type_of(groups[0].product.operands);
    blas_check(cublasGemmGroupedBatchedEx(
                   handle_, transposes_a.data(), transposes_b.data(), m.data(), n.data(), k.data(),
                   alpha.data(), on_device, type, lda.data(), on_device + count, type, ldb.data(),
                   beta.data(), const_cast<void* const*>(on_device + 2 * count), type, m.data(),
                   static_cast<int>(count), sizes.data(), CUBLAS_COMPUTE_32F),
               "cublasGemmGroupedBatchedEx");
}

}  // namespace polytrain::cuda
