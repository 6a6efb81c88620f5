// Of cuBLASLt what PolyTrain uses, stricter than the library: everything else ends the process. The
// first algorithm that the heuristic names refuses to run, as one of the library's may.

#include <cublasLt.h>

#include <cstring>

#include "cuda_emulator/execution.hpp"
#include "cuda_emulator/matrix.hpp"

using namespace polytrain::emulator;

namespace {

// What the opaque structures of the headers hold here.
struct Operation {
    cublasComputeType_t compute;
    cudaDataType_t scale;
    cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
};
struct Layout {
    cudaDataType_t type;
    uint64_t rows, columns;
    int64_t leading;
};
struct Preference {
    uint64_t workspace = 0;
    uint32_t alignments[4] = {256, 256, 256, 256};
    uint32_t reduction = ~0u;
};
// Of an algorithm.
struct Choice {
    uint64_t workspace;
    uint32_t alignments[3];
    bool refuses;
};
static_assert(sizeof(Choice) <= sizeof(cublasLtMatmulAlgo_t));

template <class T, class Handle>
T& as(Handle handle) {
    return *reinterpret_cast<T*>(handle);
}
template <class T>
T read_attribute(const void* from, size_t bytes, const char* what) {
    if (bytes != sizeof(T)) die("cuBLASLt: %s: an attribute of %zu bytes", what, bytes);
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}
Matrix matrix(const void* data, const Layout& layout, bool transposed) {
    return {data,
            layout.type,
            static_cast<int64_t>(layout.rows),
            static_cast<int64_t>(layout.columns),
            layout.leading,
            transposed};
}
bool is_aligned(const void* data, const Layout& layout, uint32_t alignment) {
    const auto column =
        static_cast<uint64_t>(layout.leading) * (layout.type == CUDA_R_32F ? 4u : 2u);
    return (reinterpret_cast<uintptr_t>(data) | column) % alignment == 0;
}

}  // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
    *handle = reinterpret_cast<cublasLtHandle_t>(new char);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    delete reinterpret_cast<char*>(handle);
    return CUBLAS_STATUS_SUCCESS;
}
const char* cublasLtGetStatusName(cublasStatus_t) {
    return "CUBLAS_STATUS";
}

// cublasLtMatmulDescCreate and its like are inline functions over these.
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
    *made = reinterpret_cast<cublasLtMatmulDesc_t>(new Operation{compute, scale});
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t made) {
    delete &as<Operation>(made);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t made,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
    const auto operation = read_attribute<cublasOperation_t>(value, bytes, "an operation");
    if (attribute == CUBLASLT_MATMUL_DESC_TRANSA)
        as<Operation>(made).a = operation;
    else if (attribute == CUBLASLT_MATMUL_DESC_TRANSB)
        as<Operation>(made).b = operation;
    else
        die("cublasLtMatmulDescSetAttribute: attribute %d", static_cast<int>(attribute));
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType_t type,
                                          uint64_t rows, uint64_t columns, int64_t leading) {
    *made = reinterpret_cast<cublasLtMatrixLayout_t>(new Layout{type, rows, columns, leading});
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t made) {
    delete &as<Layout>(made);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
    *made = reinterpret_cast<cublasLtMatmulPreference_t>(new Preference);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t made) {
    delete &as<Preference>(made);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t made,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
    auto& preference = as<Preference>(made);
    const auto word = [&] { return read_attribute<uint32_t>(value, bytes, "a preference"); };
    switch (attribute) {
        case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
            preference.workspace = read_attribute<uint64_t>(value, bytes, "a workspace");
            break;
        case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
            preference.reduction = word();
            break;
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
            preference.alignments[0] = word();
            break;
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
            preference.alignments[1] = word();
            break;
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
            preference.alignments[2] = word();
            break;
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
            preference.alignments[3] = word();
            break;
        default:
            die("cublasLtMatmulPreferenceSetAttribute: attribute %d", static_cast<int>(attribute));
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t wanted, int most,
                                              cublasLtMatmulHeuristicResult_t found[], int* count) {
    const auto& preference = as<Preference>(wanted);
    if ((preference.reduction & CUBLASLT_REDUCTION_SCHEME_INPLACE) != 0)
        die("cuBLASLt: sums in place are allowed, whose order isn't fixed");
    if (as<Operation>(operation).compute != CUBLAS_COMPUTE_32F ||
        as<Operation>(operation).scale != CUDA_R_32F || as<Layout>(a).type != as<Layout>(b).type ||
        as<Layout>(c).type != as<Layout>(d).type ||
        preference.alignments[2] != preference.alignments[3])
        die("cublasLtMatmulAlgoGetHeuristic: types that PolyTrain doesn't use");
    *count = 0;
    for (; *count < 2 && *count < most; ++*count) {
        found[*count] = {};
        found[*count].state = CUBLAS_STATUS_SUCCESS;
        const Choice choice{
            preference.workspace,
            {preference.alignments[0], preference.alignments[1], preference.alignments[2]},
            *count == 0};
        std::memcpy(&found[*count].algo, &choice, sizeof choice);
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
    constexpr const char* kCall = "cublasLtMatmul";
    Choice choice{};
    std::memcpy(&choice, algorithm, sizeof choice);
    if (choice.refuses) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (c != d || c_layout != d_layout) die("%s: not in place", kCall);
    if (*static_cast<const float*>(alpha) != 1.0f) die("%s: alpha isn't 1", kCall);
    if (workspace_bytes < choice.workspace) die("%s: too small a workspace", kCall);
    check_device_range(workspace, workspace_bytes, kCall);
    const auto& sides = as<Operation>(operation);
    const auto &la = as<Layout>(a_layout), &lb = as<Layout>(b_layout), &lc = as<Layout>(c_layout);
    if (!is_aligned(a, la, choice.alignments[0]) || !is_aligned(b, lb, choice.alignments[1]) ||
        !is_aligned(c, lc, choice.alignments[2]))
        die("%s: an operand is less aligned than was told", kCall);
    const Matrix a_matrix = matrix(a, la, sides.a == CUBLAS_OP_T);
    const Matrix b_matrix = matrix(b, lb, sides.b == CUBLAS_OP_T), c_matrix = matrix(d, lc, false);
    const int64_t m = a_matrix.transposed ? a_matrix.columns : a_matrix.rows;
    const int64_t k = a_matrix.transposed ? a_matrix.rows : a_matrix.columns;
    const int64_t n = b_matrix.transposed ? b_matrix.rows : b_matrix.columns;
    const int64_t k_of_b = b_matrix.transposed ? b_matrix.columns : b_matrix.rows;
    if (c_matrix.rows != m || c_matrix.columns != n || k != k_of_b)
        die("%s: sizes don't match: %lld x %lld x %lld", kCall, static_cast<long long>(m),
            static_cast<long long>(n), static_cast<long long>(k));
    for (const Matrix& one : {a_matrix, b_matrix, c_matrix}) check_matrix(one, kCall);
    const float scale = *static_cast<const float*>(beta);
    enqueue(stream, [=] { multiply(a_matrix, b_matrix, scale, c_matrix); });
    return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
