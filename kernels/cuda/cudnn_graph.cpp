#include "kernels/cuda/cudnn_graph.hpp"

#include <utility>

#include "core/error.hpp"

namespace polytrain::cuda {

std::string cudnn_reason(cudnnStatus_t status) {
    std::array<char, 2048> message{};
    cudnnGetLastErrorString(message.data(), message.size());
    return fmt::format("{} ({}): {}", cudnnGetErrorString(status), static_cast<int>(status),
                       message[0] != 0 ? message.data() : "no further message");
}

void cudnn_check(cudnnStatus_t status, std::string_view call) {
    if (status == CUDNN_STATUS_SUCCESS) return;
    fail(ExitCode::kInternal, "cuDNN: {} failed with {}", call, cudnn_reason(status));
}

CudnnDescriptor::CudnnDescriptor(cudnnBackendDescriptorType_t type) {
    const cudnnStatus_t status = cudnnBackendCreateDescriptor(type, &raw_);
    if (status != CUDNN_STATUS_SUCCESS)
        cudnn_check(status,
                    fmt::format("cudnnBackendCreateDescriptor(type {})", static_cast<int>(type)));
}

CudnnDescriptor::~CudnnDescriptor() {
    if (raw_ != nullptr) cudnnBackendDestroyDescriptor(raw_);
}

CudnnDescriptor::CudnnDescriptor(CudnnDescriptor&& other) noexcept
    : raw_(std::exchange(other.raw_, nullptr)) {}

CudnnDescriptor& CudnnDescriptor::operator=(CudnnDescriptor&& other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
}

void CudnnDescriptor::finalize() {
    cudnn_check(try_finalize(), "cudnnBackendFinalize");
}

std::vector<CudnnDescriptor> CudnnDescriptor::get_descriptors(
    cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type) const {
    const int64_t wanted = count(name, CUDNN_TYPE_BACKEND_DESCRIPTOR);
    std::vector<CudnnDescriptor> held;
    std::vector<cudnnBackendDescriptor_t> raw;
    for (int64_t i = 0; i < wanted; ++i) raw.push_back(held.emplace_back(type).raw());
    const int64_t got = get_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, raw.size(), raw.data());
    while (static_cast<int64_t>(held.size()) > got) held.pop_back();
    return held;
}

void CudnnDescriptor::set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                              int64_t count, const void* values) {
    const cudnnStatus_t status = cudnnBackendSetAttribute(raw_, name, type, count, values);
    if (status != CUDNN_STATUS_SUCCESS)
        cudnn_check(status,
                    fmt::format("cudnnBackendSetAttribute(attribute {})", static_cast<int>(name)));
}

int64_t CudnnDescriptor::get_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                 size_t count, void* values) const {
    int64_t got = 0;
    const cudnnStatus_t status = cudnnBackendGetAttribute(
        raw_, name, type, static_cast<int64_t>(count), &got, count == 0 ? nullptr : values);
    if (status != CUDNN_STATUS_SUCCESS)
        cudnn_check(status,
                    fmt::format("cudnnBackendGetAttribute(attribute {})", static_cast<int>(name)));
    return got;
}

int64_t CudnnDescriptor::count(cudnnBackendAttributeName_t name,
                               cudnnBackendAttributeType_t type) const {
    return get_raw(name, type, 0, nullptr);
}

CudnnGraph::Node CudnnGraph::keep(CudnnDescriptor descriptor) {
    descriptor.finalize();
    return kept_.emplace_back(std::move(descriptor)).raw();
}

void CudnnGraph::add(CudnnDescriptor operation) {
    operations_.push_back(keep(std::move(operation)));
}

CudnnGraph::Node CudnnGraph::tensor(int64_t id, Kind kind, cudnnDataType_t type, const Dims& dims,
                                    const Dims& strides) {
    constexpr int64_t kAlignment = 16;
    PT_CHECK(id > 0 || kind == Kind::kVirtual, "a cuDNN tensor in memory without an id");
    CudnnDescriptor tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    tensor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id > 0 ? id : next_virtual_++)
        .set(CUDNN_ATTR_TENSOR_DATA_TYPE, type)
        .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kAlignment)
        .set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::span<const int64_t>(dims))
        .set(CUDNN_ATTR_TENSOR_STRIDES, std::span<const int64_t>(strides))
        .set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, kind == Kind::kVirtual)
        .set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, kind == Kind::kByValue);
    return keep(std::move(tensor));
}

void CudnnGraph::matmul(Node a, Node b, Node c) {
    CudnnDescriptor how(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
    how.set(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_DATA_FLOAT);
    CudnnDescriptor operation(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_MATMUL_DESC, keep(std::move(how)))
        .set(CUDNN_ATTR_OPERATION_MATMUL_ADESC, a)
        .set(CUDNN_ATTR_OPERATION_MATMUL_BDESC, b)
        .set(CUDNN_ATTR_OPERATION_MATMUL_CDESC, c);
    add(std::move(operation));
}

void CudnnGraph::reduce(cudnnReduceTensorOp_t how, Node x, Node y) {
    CudnnDescriptor reduction(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
    reduction.set(CUDNN_ATTR_REDUCTION_OPERATOR, how)
        .set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_DATA_FLOAT);
    CudnnDescriptor operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, keep(std::move(reduction)))
        .set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x)
        .set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y);
    add(std::move(operation));
}

void CudnnGraph::reshape(Node x, Node y) {
    CudnnDescriptor operation(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x).set(CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y);
    add(std::move(operation));
}

void CudnnGraph::add_pointwise(cudnnPointwiseMode_t mode, const PointwiseInputs& inputs, Node y,
                               cudnnDataType_t precision, int64_t axis) {
    CudnnDescriptor how(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    how.set(CUDNN_ATTR_POINTWISE_MODE, mode).set(CUDNN_ATTR_POINTWISE_MATH_PREC, precision);
    if (axis >= 0) how.set(CUDNN_ATTR_POINTWISE_AXIS, axis);
    CudnnDescriptor operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, keep(std::move(how)))
        .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, inputs.x);
    if (inputs.b != nullptr) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, inputs.b);
    if (inputs.t != nullptr) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_TDESC, inputs.t);
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    add(std::move(operation));
}

void CudnnGraph::pointwise(cudnnPointwiseMode_t mode, Node x, Node y) {
    add_pointwise(mode, {.x = x}, y, CUDNN_DATA_FLOAT, -1);
}
void CudnnGraph::pointwise(cudnnPointwiseMode_t mode, Node x, Node b, Node y,
                           cudnnDataType_t precision) {
    add_pointwise(mode, {.x = x, .b = b}, y, precision, -1);
}
void CudnnGraph::select(Node if_true, Node if_false, Node condition, Node y) {
    add_pointwise(CUDNN_POINTWISE_BINARY_SELECT, {.x = if_true, .b = if_false, .t = condition}, y,
                  CUDNN_DATA_FLOAT, -1);
}
void CudnnGraph::index(Node like, int64_t axis, Node y) {
    add_pointwise(CUDNN_POINTWISE_GEN_INDEX, {.x = like}, y, CUDNN_DATA_FLOAT, axis);
}

CudnnDescriptor CudnnGraph::finish(cudnnHandle_t handle) const {
    CudnnDescriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    if (handle != nullptr) graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, std::span<const Node>(operations_));
    graph.finalize();
    return graph;
}

}  // namespace polytrain::cuda
