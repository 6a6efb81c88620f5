#include "train/session.hpp"

#include <algorithm>
#include <cmath>
#include <new>

#include "core/checked.hpp"
#include "ops/elementwise.hpp"
#include "ops/squared_sum.hpp"

namespace polytrain {
namespace {

Planner training_planner(const RunConfig& config, const OpTable& ops, MemoryPlan& memory) {
    Planner planner{memory, ops, config.train.micro_batch, config.model.context,
                    storage_type(config)};
    if (config.train.recompute != "none")
        planner.recompute =
            config.train.recompute == "block" ? Recompute::kBlock : Recompute::kActivation;
    return planner;
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

// A weight as the model stores it; checkpoints have it in the accumulator type.
void read_weight(const Checkpoint& checkpoint, const Parameter& parameter, const Pass& pass) {
    const Tensor value = pass[parameter.value];
    Tensor wide = value;
    wide.dtype = accumulator_of(value.dtype);
    Buffer buffer;
    if (wide.dtype != value.dtype) {
        buffer = Buffer(pass.stream.backend(), wide.bytes());
        wide.data = buffer.data();
    }
    read_into(checkpoint, parameter.name, wide, pass.stream);
    if (wide.dtype != value.dtype) pass.run(Convert{wide, value});
}

void upload(const HostBatch& batch, const Transformer& model, const Pass& pass) {
    pass.stream.upload(model.ids(pass), batch.ids.data(), batch.ids.size() * sizeof(int32_t));
    pass.stream.upload(model.targets(pass), batch.targets.data(),
                       batch.targets.size() * sizeof(int32_t));
}

// Calls f(name in the checkpoint, tensor) for all of one kind of a run's state.
template <class F>
void for_each_weight(const TrainingPlan& plan, const Arena& arena, F&& f) {
    for (const Parameter* parameter : plan.model->parameters())
        f(parameter->name, arena[plan.optimizer->weight(parameter->index)]);
}
template <class F>
void for_each_moment(const TrainingPlan& plan, const Arena& arena, F&& f) {
    for (const Parameter* parameter : plan.model->parameters()) {
        f(parameter->name + ".m", arena[plan.optimizer->m(parameter->index)]);
        f(parameter->name + ".v", arena[plan.optimizer->v(parameter->index)]);
    }
}

// What a snapshot of weights and moments takes, each tensor aligned.
int64_t state_bytes(const TrainingPlan& plan) {
    int64_t bytes = 0;
    for (const Parameter* parameter : plan.model->parameters())
        for (const TensorId id :
             {plan.optimizer->weight(parameter->index), plan.optimizer->m(parameter->index),
              plan.optimizer->v(parameter->index)}) {
            const MemoryPlan::Entry& entry = plan.memory.entries()[static_cast<size_t>(id.index)];
            bytes += round_up(static_cast<int64_t>(entry.bytes()), Backend::kAlignment);
        }
    return bytes;
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
    return config.precision == "bf16" ? DType::kBf16 : DType::kF32;
}

TrainingPlan plan_training(const RunConfig& config, const OpTable& ops) {
    TrainingPlan plan;
    plan.model = std::make_unique<Transformer>(config.model, ops.activations());
    plan.optimizer = std::make_unique<AdamWOptimizer>(config.optimizer, plan.model->parameters());
    const Planner planner = training_planner(config, ops, plan.memory);
    plan.model->plan(planner);
    plan.optimizer->plan(planner);
    plan.snapshot = plan.memory.add("checkpoint", {state_bytes(plan)}, DType::kU8, Life::kSnapshot);
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
    plan_.optimizer->store_masters(pass());
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

void TrainingSession::begin_step() {
    plan_.optimizer->zero_gradients(pass());
    step_loss_ = step_z_loss_ = 0;
    step_scored_ = 0;
    bad_activation_.clear();
}

void TrainingSession::accumulate(const HostBatch& batch) {
    upload(batch, *plan_.model, pass());
    const Transformer::LossSums sums = plan_.model->forward_backward(pass());
    if (!std::isfinite(sums.cross_entropy + sums.z) && bad_activation_.empty())
        bad_activation_ = first_bad_activation();
    step_loss_ += sums.cross_entropy;
    step_z_loss_ += sums.z;
    step_scored_ += batch.scored();
}

int64_t TrainingSession::scored() const {
    // A step without a scored token has no gradient: dividing 0 by 1 keeps it so.
    return std::max<int64_t>(1, step_scored_);
}

StepResult TrainingSession::measure_step(int64_t step) {
    step_norm_ = plan_.optimizer->gradient_norm(pass(), scored());
    const StepResult result{step_loss_ / static_cast<double>(scored()),
                            step_z_loss_ / static_cast<double>(scored()), step_norm_, step_scored_};
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
    upload(batch, *plan_.model, pass());
    return plan_.model->forward(pass()).cross_entropy;
}

std::vector<std::pair<std::string, std::vector<double>>> TrainingSession::coefficients() const {
    std::vector<std::pair<std::string, std::vector<double>>> all;
    for (const Parameter* parameter : plan_.model->parameters()) {
        if (parameter->decay != DecayClass::kCoefficient) continue;
        const Tensor value = arena_[parameter->value];
        std::vector<float> host(static_cast<size_t>(value.elements()));
        PT_CHECK(value.dtype == DType::kF32, "coefficients of type {}", name_of(value.dtype));
        stream_.download(host.data(), value, value.bytes());
        all.emplace_back(parameter->name, std::vector<double>(host.begin(), host.end()));
    }
    return all;
}

InferenceSession::InferenceSession(const RunConfig& config, Backend& backend, const OpTable& ops,
                                   const Checkpoint& checkpoint, int64_t batch, int64_t time,
                                   int64_t cache)
    : ops_(ops), model_(config.model, ops.activations()), stream_(backend) {
    MemoryPlan memory;
    Planner planner{
        memory, ops, batch, time > 0 ? time : config.model.context, storage_type(config), false};
    planner.cache = cache;
    model_.plan(planner);
    arena_ = std::make_unique<Arena>(backend, memory);
    for (const Parameter* parameter : model_.parameters())
        read_weight(checkpoint, *parameter, pass());
    model_.prepare(pass());
}

double InferenceSession::loss_sum(const HostBatch& batch) const {
    upload(batch, model_, pass());
    return model_.forward(pass()).cross_entropy;
}

}  // namespace polytrain
