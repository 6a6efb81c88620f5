#include "train/session.hpp"

#include <algorithm>
#include <cmath>
#include <new>

#include "core/checked.hpp"
#include "ops/squared_sum.hpp"

namespace polytrain {
namespace {

Planner training_planner(const RunConfig& config, const OpTable& ops, MemoryPlan& memory) {
    return {memory, ops, config.train.micro_batch, config.model.context, storage_type(config),
            true};
}

// Host memory shaped like a tensor.
struct HostTensor {
    std::vector<std::byte> bytes;
    Tensor view;
    explicit HostTensor(const Tensor& like) : bytes(like.bytes()), view(like) {
        view.data = bytes.data();
        view.device = {};
    }
};

void read_into(const Checkpoint& checkpoint, const std::string& name, const Tensor& tensor,
               const Stream& stream) {
    HostTensor host(tensor);
    checkpoint.read(name, host.view);
    stream.upload(tensor, host.view.data, host.bytes.size());
}

// Calls f(name in the checkpoint, tensor) for all of one kind of a run's state.
template <class F>
void for_each_weight(const TrainingPlan& plan, const Arena& arena, F&& f) {
    for (const Parameter* parameter : plan.model->parameters())
        f(parameter->name, arena[parameter->value]);
}
template <class F>
void for_each_moment(const TrainingPlan& plan, const Arena& arena, F&& f) {
    for (const Parameter* parameter : plan.model->parameters()) {
        f(parameter->name + ".m", arena[plan.optimizer->m(parameter->index)]);
        f(parameter->name + ".v", arena[plan.optimizer->v(parameter->index)]);
    }
}

size_t snapshot_bytes(const TrainingPlan& plan) {
    return plan.memory.entries()[static_cast<size_t>(plan.snapshot.index)].bytes();
}

// Not touched until it is used.
std::unique_ptr<std::byte[]> host_memory(size_t bytes, const MemoryPlan& plan) {
    try {
        return std::unique_ptr<std::byte[]>(new std::byte[bytes]);
    } catch (const std::bad_alloc&) {
        fail(ExitCode::kInternal,
             "out of memory: {} bytes for checkpoints\nThe plan of this run's memory was:\n{}",
             bytes, plan.table());
    }
}

}  // namespace

DType storage_type(const RunConfig& config) {
    PT_CHECK(config.precision == "auto" || config.precision == "f32", "precision {}",
             config.precision);
    return DType::kF32;
}

TrainingPlan plan_training(const RunConfig& config, const OpTable& ops) {
    TrainingPlan plan;
    plan.model = std::make_unique<Transformer>(config.model, ops.activations());
    plan.optimizer = std::make_unique<AdamWOptimizer>(config.optimizer, plan.model->parameters());
    const Planner planner = training_planner(config, ops, plan.memory);
    plan.model->plan(planner);
    plan.optimizer->plan(planner);
    const size_t bytes = plan.memory.bytes(Life::kParameter) + plan.memory.bytes(Life::kOptimizer);
    plan.snapshot =
        plan.memory.add("checkpoint", {static_cast<int64_t>(bytes)}, DType::kU8, Life::kSnapshot);
    return plan;
}

TrainingSession::TrainingSession(const RunConfig& config, Backend& backend, const OpTable& ops)
    : ops_(ops),
      plan_(plan_training(config, ops)),
      arena_(backend, plan_.memory),
      stream_(backend),
      snapshot_(host_memory(snapshot_bytes(plan_), plan_.memory)) {
    plan_.model->prepare(pass());
}

void TrainingSession::initialise(uint64_t seed) {
    plan_.model->initialise(pass(), seed);
    plan_.optimizer->reset(pass());
}

void TrainingSession::restore(const Checkpoint& checkpoint) {
    const auto read = [&](const std::string& name, const Tensor& tensor) {
        read_into(checkpoint, name, tensor, stream_);
    };
    for_each_weight(plan_, arena_, read);
    for_each_moment(plan_, arena_, read);
}

std::vector<FileContents> TrainingSession::snapshot(int64_t step) {
    const std::string bad = plan_.optimizer->first_bad_weight(pass());
    if (!bad.empty())
        fail(ExitCode::kNumerics, "step {}: {} is not finite: nothing was saved", step, bad);
    std::vector<FileContents> files(2);
    files[0].name = "weights.safetensors";
    files[1].name = "optimizer.safetensors";
    size_t used = 0;
    const auto add_to = [&](FileContents& file) {
        return [&](const std::string& name, const Tensor& tensor) {
            const Tensor copy{snapshot_.get() + used, tensor.shape, tensor.dtype, {}};
            used += static_cast<size_t>(
                round_up(static_cast<int64_t>(tensor.bytes()), Backend::kAlignment));
            PT_CHECK(used <= snapshot_bytes(plan_), "\"{}\" is not in the snapshot's plan", name);
            stream_.download(copy.data, tensor, tensor.bytes());
            file.slices.emplace_back(name, copy);
        };
    };
    for_each_weight(plan_, arena_, add_to(files[0]));
    for_each_moment(plan_, arena_, add_to(files[1]));
    return files;
}

void TrainingSession::upload(const HostBatch& batch) const {
    const Pass on = pass();
    stream_.upload(plan_.model->ids(on), batch.ids.data(), batch.ids.size() * sizeof(int32_t));
    stream_.upload(plan_.model->targets(on), batch.targets.data(),
                   batch.targets.size() * sizeof(int32_t));
}

void TrainingSession::begin_step() {
    plan_.optimizer->zero_gradients(pass());
    step_loss_ = 0;
    step_scored_ = 0;
    bad_activation_.clear();
}

void TrainingSession::accumulate(const HostBatch& batch) {
    upload(batch);
    const double loss = plan_.model->forward_backward(pass());
    if (!std::isfinite(loss) && bad_activation_.empty()) bad_activation_ = first_bad_activation();
    step_loss_ += loss;
    step_scored_ += batch.scored();
}

int64_t TrainingSession::scored() const {
    // A step without a scored token has no gradient: dividing 0 by 1 keeps it so.
    return std::max<int64_t>(1, step_scored_);
}

StepResult TrainingSession::measure_step(int64_t step) {
    step_norm_ = plan_.optimizer->gradient_norm(pass(), scored());
    const StepResult result{step_loss_ / static_cast<double>(scored()), step_norm_};
    if (!std::isfinite(result.loss) || !std::isfinite(result.grad_norm))
        fail(ExitCode::kNumerics,
             "step {}: the loss is {} and the gradient norm {}: the update was not made. First bad "
             "tensor in the model's order: {}. Lower optimizer.lr, or lengthen "
             "optimizer.schedule.warmup_steps",
             step, result.loss, result.grad_norm, first_bad_tensor());
    return result;
}

void TrainingSession::update(int64_t number, double lr) {
    plan_.optimizer->step(pass(), number, lr, step_norm_, scored());
}

// Of the micro-batch that was run last. Backward may have written over what forward made.
std::string TrainingSession::first_bad_activation() const {
    const Pass on = pass();
    plan_.model->forward(on);
    for (size_t i = 0; i < plan_.memory.entries().size(); ++i) {
        const MemoryPlan::Entry& entry = plan_.memory.entries()[i];
        if (entry.life != Life::kSaved || !is_float(entry.dtype)) continue;
        const double square = squared_sum(ops_, stream_, on[TensorId{static_cast<int>(i)}]);
        if (!std::isfinite(square)) return fmt::format("activation {}", entry.name);
    }
    return {};
}

std::string TrainingSession::first_bad_tensor() const {
    if (const std::string weight = plan_.optimizer->first_bad_weight(pass()); !weight.empty())
        return "weight " + weight;
    if (!bad_activation_.empty()) return bad_activation_;
    const std::string gradient = plan_.optimizer->first_bad_gradient(pass());
    return gradient.empty() ? "none; the sum overflowed" : "gradient of " + gradient;
}

double TrainingSession::loss_sum(const HostBatch& batch) const {
    upload(batch);
    return plan_.model->forward(pass());
}

InferenceSession::InferenceSession(const RunConfig& config, Backend& backend, const OpTable& ops,
                                   const Checkpoint& checkpoint)
    : ops_(ops),
      context_(config.model.context),
      vocab_size_(config.model.vocab_size),
      model_(config.model, ops.activations()),
      stream_(backend) {
    MemoryPlan memory;
    model_.plan({memory, ops, 1, context_, storage_type(config), false});
    arena_ = std::make_unique<Arena>(backend, memory);
    for (const Parameter* parameter : model_.parameters())
        read_into(checkpoint, parameter->name, (*arena_)[parameter->value], stream_);
    model_.prepare(pass());
}

std::vector<float> InferenceSession::logits_after(const std::vector<int32_t>& ids) const {
    PT_CHECK(!ids.empty() && static_cast<int64_t>(ids.size()) <= context_, "{} ids, context {}",
             ids.size(), context_);
    // Attention is causal: what follows the last id changes nothing before it.
    std::vector<int32_t> padded = ids;
    padded.resize(static_cast<size_t>(context_));
    stream_.upload(model_.ids(pass()), padded.data(), padded.size() * sizeof(int32_t));
    const Tensor logits = model_.logits_after(pass(), static_cast<int64_t>(ids.size()) - 1);
    std::vector<float> host(static_cast<size_t>(vocab_size_));
    stream_.download(host.data(), logits, host.size() * sizeof(float));
    return host;
}

}  // namespace polytrain
