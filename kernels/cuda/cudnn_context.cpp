#include "kernels/cuda/cudnn_context.hpp"

#include "core/error.hpp"
#include "core/log.hpp"

namespace polytrain::cuda {
namespace {

// Scratch of a call of a backward plan, unless one group of one sequence needs more.
constexpr int64_t kCallBytes = int64_t{640} << 20;

// The largest divisor of `count` for which f holds, else the smallest that is allowed.
template <class Fits, class Allowed>
int64_t largest_divisor(int64_t count, Fits&& fits, Allowed&& allowed) {
    int64_t smallest = count;
    for (int64_t divisor = count; divisor >= 1; --divisor) {
        if (count % divisor != 0 || !allowed(divisor)) continue;
        if (fits(divisor)) return divisor;
        smallest = divisor;
    }
    return smallest;
}

AttentionShape call_shape(const AttentionShape& whole, int64_t sequences, int64_t groups) {
    AttentionShape shape = whole;
    shape.batch = sequences;
    shape.heads = whole.heads / whole.kv_heads * groups;
    shape.kv_heads = groups;
    return shape;
}

AttentionCalls make_calls(const AttentionShape& whole, const CudnnTarget& target) {
    AttentionCalls calls{whole, whole.batch, whole.kv_heads, AttentionPlan(whole, target)};
    const auto bytes = static_cast<int64_t>(calls.plan.scratch_bytes());
    if (bytes <= kCallBytes) return calls;
    // Scratch is proportional to the heads of a call.
    const int64_t group_heads = whole.heads / whole.kv_heads;
    const int64_t group_bytes = bytes / (whole.batch * whole.kv_heads);
    calls.sequences = largest_divisor(
        whole.batch, [&](int64_t n) { return n * whole.kv_heads * group_bytes <= kCallBytes; },
        [](int64_t) { return true; });
    // A call's first value of lse_NH must be 16-byte aligned: four heads.
    if (calls.sequences == 1)
        calls.groups = largest_divisor(
            whole.kv_heads, [&](int64_t n) { return n * group_bytes <= kCallBytes; },
            [&](int64_t n) { return n == whole.kv_heads || n * group_heads % 4 == 0; });
    calls.plan = AttentionPlan(call_shape(whole, calls.sequences, calls.groups), target);
    return calls;
}

}  // namespace

CudnnContext::~CudnnContext() {
    if (handle_ != nullptr) cudnnDestroy(handle_);
}

const CudnnTarget* CudnnContext::target() {
    if (tried_) return target_ ? &*target_ : nullptr;
    tried_ = true;
    if (!properties_json_.empty()) return &target_.emplace(properties_json_);
    const cudnnStatus_t status = cudnnCreate(&handle_);
    if (status == CUDNN_STATUS_SUCCESS) return &target_.emplace(handle_);
    handle_ = nullptr;
    log::warn_together("cuDNN can't be used, attention is done without: {}", cudnn_reason(status));
    return nullptr;
}

const AttentionCalls* CudnnContext::attention(const AttentionShape& whole) {
    if (target() == nullptr) return nullptr;
    const auto [entry, is_new] = attention_.try_emplace(whole);
    std::optional<AttentionCalls>& calls = entry->second;
    if (!is_new) return calls ? &*calls : nullptr;
    try {
        calls.emplace(make_calls(whole, *target_));
    } catch (const Error& error) {
        log::warn_together("{}; attention is done without cuDNN", error.what());
    }
    return calls ? &*calls : nullptr;
}

cudnnHandle_t CudnnContext::handle_on(void* stream) {
    PT_CHECK(handle_ != nullptr, "cuDNN is asked to execute without a device");
    cudnn_check(cudnnSetStream(handle_, static_cast<cudaStream_t>(stream)), "cudnnSetStream");
    return handle_;
}

}  // namespace polytrain::cuda
