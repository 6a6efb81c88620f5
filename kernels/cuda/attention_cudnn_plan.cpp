#include "kernels/cuda/attention_cudnn_plan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/checked.hpp"
#include "core/error.hpp"

namespace polytrain::cuda {
namespace {

constexpr int64_t kScratchUnit = 256;

constexpr auto kNoHandleAttribute = static_cast<cudnnBackendAttributeName_t>(0);

// cuDNN 9.19 has no such note on the atomic kernels either: what keeps those away is the graph
// (attention_backward_graph) and, on sm_100, the configuration below.
bool is_deterministic(const CudnnDescriptor& engine) {
    const auto notes =
        engine.get_all<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE);
    return std::find(notes.begin(), notes.end(), CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) ==
           notes.end();
}

// cuDNN's suggestions, best first.
std::vector<CudnnDescriptor> heuristic_configs(const CudnnDescriptor& operations,
                                               const CudnnTarget& target) {
    CudnnDescriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, operations)
        .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_HEUR_MODE_A);
    target.describe(heuristics, kNoHandleAttribute, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP);
    heuristics.finalize();
    return heuristics.get_descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                      CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
}

// The backward kernels of sm_100 are deterministic in one configuration, which the heuristics don't
// suggest (they fall back to sm_80's kernel): dk and dv in a first kernel, dq in a second, neither
// with atomic sums. NVIDIA's cudnn-frontend asks for it by these numbers from cuDNN 9.18 to 9.22.
// Nothing where there is no such engine.
std::optional<CudnnDescriptor> blackwell_backward_config(const CudnnDescriptor& operations,
                                                         const CudnnTarget& target) {
    constexpr int64_t kEngine = 5;
    constexpr std::array<std::pair<cudnnBackendKnobType_t, int64_t>, 2> kKnobs = {
        {{CUDNN_KNOB_TYPE_KERNEL_CFG, 31}, {CUDNN_KNOB_TYPE_STAGES, 2}}};
    CudnnDescriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, operations)
        .set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, kEngine);
    target.describe(engine, kNoHandleAttribute, CUDNN_ATTR_ENGINE_DEVICEPROP);
    if (engine.try_finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;

    std::vector<CudnnDescriptor> choices;
    std::vector<cudnnBackendDescriptor_t> raw;
    for (const auto& [type, value] : kKnobs) {
        CudnnDescriptor& choice = choices.emplace_back(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
        choice.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, type)
            .set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, value);
        choice.finalize();
        raw.push_back(choice.raw());
    }
    CudnnDescriptor config(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    config.set(CUDNN_ATTR_ENGINECFG_ENGINE, engine)
        .set(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, std::span<const cudnnBackendDescriptor_t>(raw));
    if (config.try_finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
    return config;
}

int64_t delta_bytes(const AttentionShape& shape) {
    return shape.backward
               ? shape.batch * shape.heads * shape.time * static_cast<int64_t>(sizeof(float))
               : 0;
}

}  // namespace

CudnnTarget::CudnnTarget(std::string_view properties_json) {
    CudnnDescriptor& properties = properties_.emplace_back(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    properties.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                   std::span<const char>(properties_json));
    properties.finalize();
}

void CudnnTarget::describe(CudnnDescriptor& descriptor, cudnnBackendAttributeName_t handle_name,
                           cudnnBackendAttributeName_t properties_name) const {
    if (!properties_.empty())
        descriptor.set(properties_name, properties_.front());
    else if (handle_name != kNoHandleAttribute)
        descriptor.set(handle_name, handle_);
}

AttentionPlan::AttentionPlan(const AttentionShape& shape, const CudnnTarget& target)
    : shape_(shape),
      graph_(shape.backward ? attention_backward_graph(shape) : attention_forward_graph(shape)),
      operations_(graph_.finish(target.handle())),
      plan_(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
    std::string reasons;
    if (shape.backward)
        if (const auto config = blackwell_backward_config(operations_, target))
            if (try_config(*config, target, reasons)) return;
    for (const CudnnDescriptor& config : heuristic_configs(operations_, target))
        if (try_config(config, target, reasons)) return;
    fail(ExitCode::kInternal, "cuDNN {} has no deterministic plan for attention{}",
         cudnnGetVersion(), reasons.empty() ? ": nothing suggested" : reasons);
}

bool AttentionPlan::try_config(const CudnnDescriptor& config, const CudnnTarget& target,
                               std::string& reasons) {
    const auto engines =
        config.get_descriptors(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    PT_CHECK(engines.size() == 1, "a cuDNN engine configuration with {} engines", engines.size());
    const auto engine = engines[0].get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
    if (!is_deterministic(engines[0])) {
        reasons += fmt::format("\n  engine {}: not deterministic", engine);
        return false;
    }
    CudnnDescriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    target.describe(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
    const cudnnStatus_t status = plan.try_finalize();
    if (status != CUDNN_STATUS_SUCCESS) {
        reasons += fmt::format("\n  engine {}: {}", engine, cudnn_reason(status));
        return false;
    }
    workspace_bytes_ =
        static_cast<size_t>(plan.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE));
    engine_ = engine;
    plan_ = std::move(plan);
    return true;
}

size_t AttentionPlan::scratch_bytes() const {
    const int64_t workspace = round_up(static_cast<int64_t>(workspace_bytes_), kScratchUnit);
    return static_cast<size_t>(workspace + round_up(delta_bytes(shape_), kScratchUnit));
}

std::vector<std::string> AttentionPlan::kernel_names() const {
    constexpr std::string_view kKey = "\"kernelName\":\"";
    const auto characters = plan_.get_all<char>(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION);
    const std::string_view json(characters.data(), characters.size());
    std::vector<std::string> names;
    for (size_t at = json.find(kKey); at != json.npos; at = json.find(kKey, at)) {
        at += kKey.size();
        names.emplace_back(json.substr(at, json.find('"', at) - at));
    }
    return names;
}

void AttentionPlan::execute(cudnnHandle_t handle, const AttentionPointers& pointers,
                            void* scratch) const {
    auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(shape_.head_width)));
    float one = 1;
    // Before 9.10 cuDNN wants the lowest number instead.
    float masked = cudnnGetVersion() < 91000 ? std::numeric_limits<float>::lowest()
                                             : -std::numeric_limits<float>::infinity();
    void* delta = static_cast<char*>(scratch) +
                  round_up(static_cast<int64_t>(workspace_bytes_), kScratchUnit);
    std::vector<int64_t> ids = {kQ, kK, kV, kY, kLse, kScale, kMasked};
    std::vector<void*> data = {pointers.q,   pointers.k, pointers.v, pointers.y,
                               pointers.lse, &scale,     &masked};
    if (shape_.backward) {
        ids.insert(ids.end(), {kDy, kDq, kDk, kDv, kOne, kDelta});
        data.insert(data.end(), {pointers.dy, pointers.dq, pointers.dk, pointers.dv, &one, delta});
    }
    CudnnDescriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const int64_t>(ids))
        .set_pointers(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, data)
        .set_pointers(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, {&scratch, 1});
    pack.finalize();
    cudnn_check(cudnnBackendExecute(handle, plan_.raw(), pack.raw()), "cudnnBackendExecute");
}

}  // namespace polytrain::cuda
