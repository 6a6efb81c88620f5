#pragma once
// cuDNN's graph API, owned: descriptors, and a graph of operations on tensors of four dimensions.
// Through the library's C interface; every status is checked.

#include <cudnn.h>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace polytrain::cuda {

// A status other than success throws exit 70 with the call, the status and cuDNN's last message.
void cudnn_check(cudnnStatus_t status, std::string_view call);
// "NOT_SUPPORTED ...: what cuDNN said last".
std::string cudnn_reason(cudnnStatus_t status);

// The tag that cuDNN wants beside a value of this type.
template <class T>
inline constexpr cudnnBackendAttributeType_t kCudnnType = T::no_cudnn_type;
template <>
inline constexpr auto kCudnnType<int64_t> = CUDNN_TYPE_INT64;
template <>
inline constexpr auto kCudnnType<bool> = CUDNN_TYPE_BOOLEAN;
template <>
inline constexpr auto kCudnnType<char> = CUDNN_TYPE_CHAR;
template <>
inline constexpr auto kCudnnType<cudnnHandle_t> = CUDNN_TYPE_HANDLE;
template <>
inline constexpr auto kCudnnType<cudnnDataType_t> = CUDNN_TYPE_DATA_TYPE;
template <>
inline constexpr auto kCudnnType<cudnnBackendHeurMode_t> = CUDNN_TYPE_HEUR_MODE;
template <>
inline constexpr auto kCudnnType<cudnnBackendKnobType_t> = CUDNN_TYPE_KNOB_TYPE;
template <>
inline constexpr auto kCudnnType<cudnnBackendNumericalNote_t> = CUDNN_TYPE_NUMERICAL_NOTE;
template <>
inline constexpr auto kCudnnType<cudnnPointwiseMode_t> = CUDNN_TYPE_POINTWISE_MODE;
template <>
inline constexpr auto kCudnnType<cudnnReduceTensorOp_t> = CUDNN_TYPE_REDUCTION_OPERATOR_TYPE;
template <>
inline constexpr auto kCudnnType<cudnnBackendDescriptor_t> = CUDNN_TYPE_BACKEND_DESCRIPTOR;
// cudnnBackendDescriptor_t is void*, so pointers to data have functions of their own.
static_assert(std::is_same_v<cudnnBackendDescriptor_t, void*>);

class CudnnDescriptor {
  public:
    explicit CudnnDescriptor(cudnnBackendDescriptorType_t type);
    ~CudnnDescriptor();
    CudnnDescriptor(CudnnDescriptor&& other) noexcept;
    CudnnDescriptor& operator=(CudnnDescriptor&& other) noexcept;

    template <class T>
    CudnnDescriptor& set(cudnnBackendAttributeName_t name, std::span<const T> values) {
        set_raw(name, kCudnnType<T>, static_cast<int64_t>(values.size()), values.data());
        return *this;
    }
    template <class T>
    CudnnDescriptor& set(cudnnBackendAttributeName_t name, const T& value) {
        return set(name, std::span<const T>(&value, 1));
    }
    CudnnDescriptor& set(cudnnBackendAttributeName_t name, const CudnnDescriptor& value) {
        return set(name, value.raw());
    }
    CudnnDescriptor& set_pointers(cudnnBackendAttributeName_t name,
                                  std::span<void* const> pointers) {
        set_raw(name, CUDNN_TYPE_VOID_PTR, static_cast<int64_t>(pointers.size()), pointers.data());
        return *this;
    }
    // After this the descriptor can be used by others, and not be changed.
    void finalize();
    // The same, but whether cuDNN can do it is the answer.
    cudnnStatus_t try_finalize() { return cudnnBackendFinalize(raw_); }

    template <class T>
    T get(cudnnBackendAttributeName_t name) const {
        T value{};
        get_raw(name, kCudnnType<T>, 1, &value);
        return value;
    }
    template <class T>
    std::vector<T> get_all(cudnnBackendAttributeName_t name) const {
        std::vector<T> values(static_cast<size_t>(count(name, kCudnnType<T>)));
        const int64_t got = get_raw(name, kCudnnType<T>, values.size(), values.data());
        values.resize(static_cast<size_t>(got));
        return values;
    }
    // Descriptors of `type` that this one holds under a name.
    std::vector<CudnnDescriptor> get_descriptors(cudnnBackendAttributeName_t name,
                                                 cudnnBackendDescriptorType_t type) const;

    const cudnnBackendDescriptor_t& raw() const { return raw_; }

  private:
    void set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                 const void* values);
    int64_t get_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                    size_t count, void* values) const;
    int64_t count(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type) const;

    cudnnBackendDescriptor_t raw_ = nullptr;
};

// Operations on tensors, in the order in which they are added. Tensors live as long as the graph.
class CudnnGraph {
  public:
    using Dims = std::array<int64_t, 4>;
    enum class Kind {
        kMemory,   // the caller gives a pointer when the graph runs; 16-byte aligned
        kVirtual,  // between operations, never stored whole
        kByValue,  // one number; the pointer is to host memory
    };
    // What the graph's functions take and return.
    using Node = cudnnBackendDescriptor_t;

    // `id` is the caller's name for the tensor, at least 1; 0: none (virtual tensors).
    Node tensor(int64_t id, Kind kind, cudnnDataType_t type, const Dims& dims, const Dims& strides);

    void matmul(Node a, Node b, Node c);  // c = a b over the last two dimensions
    void reduce(cudnnReduceTensorOp_t how, Node x, Node y);
    void reshape(Node x, Node y);
    void pointwise(cudnnPointwiseMode_t mode, Node x, Node y);
    void pointwise(cudnnPointwiseMode_t mode, Node x, Node b, Node y,
                   cudnnDataType_t precision = CUDNN_DATA_FLOAT);
    void select(Node if_true, Node if_false, Node condition, Node y);
    void index(Node like, int64_t axis, Node y);  // y = the element's position along the axis

    size_t operations() const { return operations_.size(); }
    // The finalized operation graph, for `handle`'s device or (null) for none yet.
    CudnnDescriptor finish(cudnnHandle_t handle) const;

  private:
    struct PointwiseInputs {
        Node x = nullptr, b = nullptr, t = nullptr;
    };
    void add_pointwise(cudnnPointwiseMode_t mode, const PointwiseInputs& inputs, Node y,
                       cudnnDataType_t precision, int64_t axis);
    Node keep(CudnnDescriptor descriptor);  // finalized
    void add(CudnnDescriptor operation);

    std::vector<CudnnDescriptor> kept_;
    std::vector<Node> operations_;
    int64_t next_virtual_ = int64_t{1} << 32;
};

}  // namespace polytrain::cuda
