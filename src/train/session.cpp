#include "train/session.hpp"

#include <algorithm>
#include <cmath>

#include "checkpoint/save.hpp"

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
    return plan;
}

TrainingSession::TrainingSession(const RunConfig& config, Backend& backend, const OpTable& ops)
    : ops_(ops),
      plan_(plan_training(config, ops)),
      arena_(backend, plan_.memory),
      stream_(backend) {
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

void TrainingSession::save(const std::filesystem::path& run_folder, const TrainState& state) const {
    const std::string bad = plan_.optimizer->first_bad_weight(pass());
    if (!bad.empty())
        fail(ExitCode::kNumerics, "step {}: {} is not finite: nothing was saved", state.step, bad);
    std::vector<HostTensor> host;  // copies from another device, alive until all is written
    host.reserve(3 * plan_.model->parameters().size());
    std::vector<FileContents> files(2);
    files[0].name = "weights.safetensors";
    files[1].name = "optimizer.safetensors";
    const auto add_to = [&](FileContents& file) {
        return [&](const std::string& name, const Tensor& tensor) {
            if (tensor.device.type == DeviceType::kCpu) {
                file.slices.emplace_back(name, tensor);
                return;
            }
            host.emplace_back(tensor);
            stream_.download(host.back().view.data, tensor, tensor.bytes());
            file.slices.emplace_back(name, host.back().view);
        };
    };
    for_each_weight(plan_, arena_, add_to(files[0]));
    for_each_moment(plan_, arena_, add_to(files[1]));
    save_checkpoint(run_folder, state, files);
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
}

void TrainingSession::accumulate(const HostBatch& batch) {
    upload(batch);
    step_loss_ += plan_.model->forward_backward(pass());
    step_scored_ += batch.scored();
}

StepResult TrainingSession::finish_step(int64_t step, double lr) {
    // A step without a scored token has no gradient: dividing 0 by 1 keeps it so.
    const int64_t scored = std::max<int64_t>(1, step_scored_);
    StepResult result{step_loss_ / static_cast<double>(scored),
                      plan_.optimizer->gradient_norm(pass(), scored)};
    if (!std::isfinite(result.loss) || !std::isfinite(result.grad_norm)) {
        const std::string gradient = plan_.optimizer->first_bad_gradient(pass());
        fail(ExitCode::kNumerics,
             "step {}: the loss is {} and the gradient norm {}: the update was not made. First bad "
             "gradient: {}. Lower optimizer.lr, or lengthen optimizer.schedule.warmup_steps",
             step, result.loss, result.grad_norm, gradient.empty() ? "none" : gradient);
    }
    plan_.optimizer->step(pass(), step, lr, result.grad_norm, scored);
    return result;
}

double TrainingSession::loss_sum(const HostBatch& batch) const {
    upload(batch);
    return plan_.model->forward(pass());
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
                                   const Checkpoint& checkpoint, int64_t batch)
    : ops_(ops),
      batch_(batch),
      context_(config.model.context),
      vocab_size_(config.model.vocab_size),
      model_(config.model, ops.activations()),
      stream_(backend) {
    MemoryPlan memory;
    model_.plan({memory, ops, batch_, context_, storage_type(config), false});
    arena_ = std::make_unique<Arena>(backend, memory);
    for (const Parameter* parameter : model_.parameters())
        read_into(checkpoint, parameter->name, (*arena_)[parameter->value], stream_);
    model_.prepare(pass());
}

double InferenceSession::loss_sum(const HostBatch& batch) const {
    stream_.upload(model_.ids(pass()), batch.ids.data(), batch.ids.size() * sizeof(int32_t));
    stream_.upload(model_.targets(pass()), batch.targets.data(),
                   batch.targets.size() * sizeof(int32_t));
    return model_.forward(pass());
}

std::vector<float> InferenceSession::logits_after(const std::vector<int32_t>& ids) const {
    PT_CHECK(!ids.empty() && static_cast<int64_t>(ids.size()) <= context_, "{} ids, context {}",
             ids.size(), context_);
    // Attention is causal: what follows the last id changes nothing before it.
    std::vector<int32_t> padded = ids;
    padded.resize(static_cast<size_t>(batch_ * context_));
    stream_.upload(model_.ids(pass()), padded.data(), padded.size() * sizeof(int32_t));
    const Tensor logits = model_.logits_after(pass(), static_cast<int64_t>(ids.size()) - 1);
    std::vector<float> host(static_cast<size_t>(vocab_size_));
    stream_.download(host.data(), logits, host.size() * sizeof(float));
    return host;
}

}  // namespace polytrain
