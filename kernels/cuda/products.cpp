#include "kernels/cuda/products.hpp"

#include <algorithm>
#include <array>

#include "core/error.hpp"

namespace polytrain::cuda {
namespace {

void lt_check(cublasStatus_t status, const char* call) {
    if (status != CUBLAS_STATUS_SUCCESS)
        fail(ExitCode::kInternal, "cuBLASLt: {}: {} ({})", call, cublasLtGetStatusName(status),
             static_cast<int>(status));
}

cudaDataType_t type_of(DType dtype) {
    return dtype == DType::kBf16 ? CUDA_R_16BF : CUDA_R_32F;
}

std::string text(const Product& p) {
    return fmt::format("a product of {} x {} x {}, {} to {}", p.m, p.n, p.k, name_of(p.operands),
                       name_of(p.result));
}

// The largest power of two up to 256 that divides the address and every column's beginning.
unsigned alignment_of(const void* data, int64_t leading, DType dtype) {
    const auto column = static_cast<uint64_t>(leading) * size_of(dtype);
    const uint64_t bits = reinterpret_cast<uintptr_t>(data) | column | 256;
    return static_cast<unsigned>(bits & (~bits + 1));
}

}  // namespace

Product forward_product(int64_t rows, int64_t in, int64_t out, DType storage) {
    return {out, rows, in, true, false, false, storage, storage};
}
Product input_product(int64_t rows, int64_t in, int64_t out, DType storage) {
    return {in, rows, out, false, false, false, storage, storage};
}
Product weight_product(int64_t rows, int64_t in, int64_t out, DType storage) {
    return {in, out, rows, false, true, true, storage, DType::kF32};
}

// What the library needs to know of a product, and its algorithms, best first.
struct Products::Plan {
    cublasLtMatmulDesc_t operation = nullptr;
    std::array<cublasLtMatrixLayout_t, 3> layouts{};  // a, b, c
    std::array<cublasLtMatmulHeuristicResult_t, 8> found{};
    int count = 0, chosen = 0;

    Plan() = default;
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;
    ~Plan() {
        for (const cublasLtMatrixLayout_t layout : layouts)
            if (layout != nullptr) (void)cublasLtMatrixLayoutDestroy(layout);
        if (operation != nullptr) (void)cublasLtMatmulDescDestroy(operation);
    }
};

Products::Products() {
    lt_check(cublasLtCreate(&handle_), "cublasLtCreate");
}
Products::~Products() {
    plans_.clear();
    (void)cublasLtDestroy(handle_);
}

size_t Products::workspace_bytes(const Product& product) {
    // Eight partial results, and no more than what the library's manual advises for an H100.
    constexpr size_t kMost = size_t{32} << 20;
    return std::min(kMost, static_cast<size_t>(product.m * product.n) * 8 * sizeof(float));
}

Products::Plan& Products::plan_for(const Product& p, const void* a, const void* b, const void* c,
                                   size_t workspace) {
    const int64_t lda = p.transposes_a ? p.k : p.m, ldb = p.transposes_b ? p.n : p.k;
    const std::array alignments{alignment_of(a, lda, p.operands), alignment_of(b, ldb, p.operands),
                                alignment_of(c, p.m, p.result)};
    std::unique_ptr<Plan>& kept =
        plans_[{p, alignments[0], alignments[1], alignments[2], workspace}];
    if (kept) return *kept;
    auto plan = std::make_unique<Plan>();
    lt_check(cublasLtMatmulDescCreate(&plan->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F),
             "cublasLtMatmulDescCreate");
    const auto set_transpose = [&](cublasLtMatmulDescAttributes_t attribute, bool transposes) {
        const cublasOperation_t operation = transposes ? CUBLAS_OP_T : CUBLAS_OP_N;
        lt_check(cublasLtMatmulDescSetAttribute(plan->operation, attribute, &operation,
                                                sizeof operation),
                 "cublasLtMatmulDescSetAttribute");
    };
    set_transpose(CUBLASLT_MATMUL_DESC_TRANSA, p.transposes_a);
    set_transpose(CUBLASLT_MATMUL_DESC_TRANSB, p.transposes_b);
    const auto describe = [&](cublasLtMatrixLayout_t& layout, DType dtype, int64_t rows,
                              int64_t columns) {
        lt_check(cublasLtMatrixLayoutCreate(&layout, type_of(dtype), static_cast<uint64_t>(rows),
                                            static_cast<uint64_t>(columns), rows),
                 "cublasLtMatrixLayoutCreate");
    };
    describe(plan->layouts[0], p.operands, lda, p.transposes_a ? p.m : p.k);
    describe(plan->layouts[1], p.operands, ldb, p.transposes_b ? p.k : p.n);
    describe(plan->layouts[2], p.result, p.m, p.n);

    cublasLtMatmulPreference_t preference = nullptr;
    lt_check(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
    const std::unique_ptr<std::remove_pointer_t<cublasLtMatmulPreference_t>,
                          cublasStatus_t (*)(cublasLtMatmulPreference_t)>
        owner(preference, cublasLtMatmulPreferenceDestroy);
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
        lt_check(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
                 "cublasLtMatmulPreferenceSetAttribute");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(workspace));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<uint32_t>(alignments[0]));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<uint32_t>(alignments[1]));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<uint32_t>(alignments[2]));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<uint32_t>(alignments[2]));
    // Partial sums go through the workspace, where their order is fixed; not in place.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
           static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE |
                                 CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE));
    lt_check(cublasLtMatmulAlgoGetHeuristic(handle_, plan->operation, plan->layouts[0],
                                            plan->layouts[1], plan->layouts[2], plan->layouts[2],
                                            preference, static_cast<int>(plan->found.size()),
                                            plan->found.data(), &plan->count),
             "cublasLtMatmulAlgoGetHeuristic");
    if (plan->count == 0) fail(ExitCode::kInternal, "cuBLASLt has no algorithm for {}", text(p));
    kept = std::move(plan);
    return *kept;
}

void Products::run(const Product& p, const void* a, const void* b, void* c, const Tensor& workspace,
                   const Stream& stream) {
    if (p.m == 0 || p.n == 0) return;
    if (p.k == 0) {
        if (!p.adds) stream.zero({c, {p.m * p.n}, p.result, {}});
        return;
    }
    Plan& plan = plan_for(p, a, b, c, workspace.bytes());
    const float alpha = 1, beta = p.adds ? 1 : 0;
    cublasStatus_t status = CUBLAS_STATUS_NOT_SUPPORTED;
    for (; plan.chosen < plan.count; ++plan.chosen) {
        const cublasLtMatmulHeuristicResult_t& choice =
            plan.found[static_cast<size_t>(plan.chosen)];
        if (choice.state != CUBLAS_STATUS_SUCCESS) continue;
        status = cublasLtMatmul(handle_, plan.operation, &alpha, a, plan.layouts[0], b,
                                plan.layouts[1], &beta, c, plan.layouts[2], c, plan.layouts[2],
                                &choice.algo, workspace.data, workspace.bytes(),
                                static_cast<cudaStream_t>(stream.handle()));
        if (status == CUBLAS_STATUS_SUCCESS) return;
    }
    plan.chosen = 0;
    lt_check(status, text(p).c_str());
}

}  // namespace polytrain::cuda
