// Of cuBLAS what PolyTrain uses, stricter than the library: everything else ends the process.

#include <cublas_v2.h>

#include "cuda_emulator/execution.hpp"
#include "cuda_emulator/matrix.hpp"

using namespace polytrain::emulator;

struct cublasContext {
    cudaStream_t stream = nullptr;
};

namespace {

Matrix stored(const void* data, cudaDataType_t type, bool transposed, int rows, int columns,
              int leading) {
    return transposed ? Matrix{data, type, columns, rows, leading, true}
                      : Matrix{data, type, rows, columns, leading, false};
}

void queue_product(cublasHandle_t handle, const char* call, bool ta, bool tb, int m, int n, int k,
                   float alpha, const void* a, cudaDataType_t type, int lda, const void* b, int ldb,
                   float beta, void* c, cudaDataType_t type_c, int ldc) {
    if (m < 1 || n < 1 || k < 1) die("%s: an empty product, %d x %d x %d", call, m, n, k);
    if (alpha != 1.0f) die("%s: alpha is %g", call, static_cast<double>(alpha));
    const Matrix a_matrix = stored(a, type, ta, m, k, lda),
                 b_matrix = stored(b, type, tb, k, n, ldb);
    const Matrix c_matrix = stored(c, type_c, false, m, n, ldc);
    for (const Matrix& matrix : {a_matrix, b_matrix, c_matrix}) check_matrix(matrix, call);
    enqueue(handle->stream, [=] { multiply(a_matrix, b_matrix, beta, c_matrix); });
}

}  // namespace

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
    *handle = new cublasContext;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
    handle->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t, void* workspace, size_t bytes) {
    check_device_range(workspace, bytes, "cublasSetWorkspace");
    if (reinterpret_cast<uintptr_t>(workspace) % 256 != 0)
        die("cublasSetWorkspace: not 256-byte aligned");
    return CUBLAS_STATUS_SUCCESS;
}
const char* cublasGetStatusName(cublasStatus_t) {
    return "CUBLAS_STATUS";
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb,
                            int m, int n, int k, const void* alpha, const void* a,
                            cudaDataType_t type_a, int lda, const void* b, cudaDataType_t type_b,
                            int ldb, const void* beta, void* c, cudaDataType_t type_c, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t) {
    // Table "cublasGemmEx": bf16 to bf16 or f32, f32 to f32.
    if (compute != CUBLAS_COMPUTE_32F || type_a != type_b ||
        (type_a == CUDA_R_32F && type_c != CUDA_R_32F))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    queue_product(handle, "cublasGemmEx", ta == CUBLAS_OP_T, tb == CUBLAS_OP_T, m, n, k,
                  *static_cast<const float*>(alpha), a, type_a, lda, b, ldb,
                  *static_cast<const float*>(beta), c, type_c, ldc);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmGroupedBatchedEx(
    cublasHandle_t handle, const cublasOperation_t ta[], const cublasOperation_t tb[],
    const int m[], const int n[], const int k[], const void* alpha, const void* const a[],
    cudaDataType_t type_a, const int lda[], const void* const b[], cudaDataType_t type_b,
    const int ldb[], const void* beta, void* const c[], cudaDataType_t type_c, const int ldc[],
    int groups, const int sizes[], cublasComputeType_t compute) {
    constexpr const char* kCall = "cublasGemmGroupedBatchedEx";
    // It has one type for all three, and reads the addresses on the device.
    if (compute != CUBLAS_COMPUTE_32F || type_a != type_b || type_a != type_c)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    const auto bytes = static_cast<size_t>(groups) * sizeof(void*);
    check_device_range(a, bytes, kCall);
    check_device_range(b, bytes, kCall);
    check_device_range(c, bytes, kCall);
    cublasContext now = *handle;
    for (int i = 0; i < groups; ++i) {
        if (sizes[i] != 1) die("%s: a group of %d", kCall, sizes[i]);
        const bool transposes_a = ta[i] == CUBLAS_OP_T, transposes_b = tb[i] == CUBLAS_OP_T;
        const int mi = m[i], ni = n[i], ki = k[i], la = lda[i], lb = ldb[i], lc = ldc[i];
        const float alpha_i = static_cast<const float*>(alpha)[i];
        const float beta_i = static_cast<const float*>(beta)[i];
        if (mi < 1 || ni < 1 || ki < 1 || alpha_i != 1.0f)
            die("%s: group %d is %d x %d x %d, alpha %g", kCall, i, mi, ni, ki,
                static_cast<double>(alpha_i));
        enqueue(now.stream, [=] {
            const Matrix a_matrix = stored(a[i], type_a, transposes_a, mi, ki, la);
            const Matrix b_matrix = stored(b[i], type_a, transposes_b, ki, ni, lb);
            const Matrix c_matrix = stored(c[i], type_a, false, mi, ni, lc);
            for (const Matrix& matrix : {a_matrix, b_matrix, c_matrix}) check_matrix(matrix, kCall);
            multiply(a_matrix, b_matrix, beta_i, c_matrix);
        });
    }
    return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
