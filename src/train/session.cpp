#include "train/session.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <new>

#include "core/checked.hpp"
#include "ops/elementwise.hpp"
#include "ops/squared_sum.hpp"
#include "tensor/host.hpp"

namespace polytrain {
namespace {

Planner training_planner(const RunConfig& config, const OpTable& ops, const Layout& layout,
                         MemoryPlan& memory) {
    Planner planner{memory, ops, config.train.micro_batch, config.model.context,
                    storage_type(config)};
    planner.layout = layout;
    planner.step_rows = config.train.batch * config.model.context;
    planner.expert_rows = config.parallel.expert_rows;
    planner.exact = config.parallel.reduction == "exact";
    planner.shares_gradients = config.parallel.sharding == 2;
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

// Elements of `tensor` (of `parameter`, or one of its moments) from `first` on, into a flat tensor.
void read_into(const Checkpoint& checkpoint, const std::string& name, const Shape& whole,
               int64_t first, const Tensor& tensor, const Stream& stream) {
    HostTensor host(tensor);
    checkpoint.read(name, whole, first, host.view);
    stream.upload(tensor, host.view.data, host.bytes.size());
}

// This rank's part of a weight as the model stores it, and of its shard `kept` the remainder, where
// there is one; checkpoints have the f32 of both.
void read_weight(const Checkpoint& checkpoint, const Parameter& parameter, const Pass& pass,
                 const Tensor& remainder = {}, const Shard& kept = {}) {
    const Tensor local = pass[parameter.value];
    const Tensor value = local.reshaped({local.elements()});
    if (value.dtype == accumulator_of(value.dtype))
        return read_into(checkpoint, parameter.name, parameter.shape, parameter.first, value,
                         pass.stream);
    Tensor like = value;
    like.dtype = accumulator_of(value.dtype);
    const HostTensor whole(like);
    checkpoint.read(parameter.name, parameter.shape, parameter.first, whole.view);
    std::vector<Bf16> rounded(static_cast<size_t>(value.elements()));
    std::vector<int16_t> rest(rounded.size());
    split_floats(whole.view.as<float>(), rounded.size(), rounded.data(), rest.data());
    pass.stream.upload(value, rounded.data(), value.bytes());
    if (remainder.data != nullptr)
        pass.stream.upload(remainder, rest.data() + kept.begin, remainder.bytes());
}

void upload(const HostBatch& batch, const Transformer& model, const Pass& pass) {
    pass.stream.upload(model.ids(pass), batch.ids.data(), batch.ids.size() * sizeof(int32_t));
    pass.stream.upload(model.targets(pass), batch.targets.data(),
                       batch.targets.size() * sizeof(int32_t));
}

// What a snapshot of this rank's weights and moments takes, each array aligned.
int64_t state_bytes(const TrainingPlan& plan) {
    int64_t bytes = 0;
    for (const Parameter* parameter : plan.model->parameters()) {
        const int64_t elements = own_shard(*parameter, plan.layout).elements();
        const DType acc = accumulator_of(parameter->dtype);
        const auto add = [&](DType dtype, int64_t arrays) {
            const auto array = elements * static_cast<int64_t>(size_of(dtype));
            bytes += arrays * round_up(array, Backend::kAlignment);
        };
        add(parameter->dtype, 1);
        if (!parameter->learned) continue;
        if (parameter->dtype != acc) add(DType::kI16, 1);
        add(acc, 2);
    }
    return bytes;
}

// "weights.safetensors", or of several ranks "weights-00002-of-00004.safetensors".
std::string state_file(const char* what, const Layout& layout) {
    return layout.ranks == 1
               ? fmt::format("{}.safetensors", what)
               : fmt::format("{}-{:05}-of-{:05}.safetensors", what, layout.rank, layout.ranks);
}

size_t snapshot_bytes(const TrainingPlan& plan) {
    if (!plan.snapshot.valid()) return 0;
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

int64_t rounds_of(const RunConfig& config, const Layout& layout) {
    const int64_t micro_batches = config.train.batch / config.train.micro_batch;
    if (layout.ranks % layout.expert != 0)
        fail(ExitCode::kBadConfig,
             "parallel.expert: {} doesn't divide the {} ranks of this launch; start a multiple of "
             "it",
             layout.expert, layout.ranks);
    if (micro_batches % layout.ranks != 0)
        fail(ExitCode::kBadConfig,
             "train.batch: {} sequences in micro-batches of {} are {}, which {} ranks can't share "
             "out evenly; start a number of ranks that divides {}, or set train.micro_batch lower",
             config.train.batch, config.train.micro_batch, micro_batches, layout.ranks,
             micro_batches);
    return micro_batches / layout.ranks;
}

TrainingPlan plan_training(const RunConfig& config, const OpTable& ops, const Layout& layout) {
    TrainingPlan plan;
    plan.layout = layout;
    plan.rounds = rounds_of(config, layout);
    const auto sharding = static_cast<Sharding>(config.parallel.sharding);
    plan.model = std::make_unique<Transformer>(config.model, ops.activations());
    plan.reducer = std::make_unique<GradientReducer>(plan.model->buckets(), sharding, plan.rounds);
    plan.optimizer = std::make_unique<AdamWOptimizer>(config.optimizer, sharding,
                                                      plan.model->parameters(), *plan.reducer);
    const Planner planner = training_planner(config, ops, layout, plan.memory);
    plan.model->plan(planner);
    plan.reducer->plan(planner);
    plan.optimizer->plan(planner);
    if (config.train.checkpoint_background)
        plan.snapshot =
            plan.memory.add("checkpoint", {state_bytes(plan)}, DType::kU8, Life::kSnapshot);
    return plan;
}

TrainingSession::TrainingSession(const RunConfig& config, Backend& backend, const OpTable& ops,
                                 const Grid* grid)
    : ops_(ops),
      grid_(grid != nullptr ? *grid : alone_),
      bias_rate_(config.model.moe.bias_rate),
      step_rows_(config.train.batch * config.model.context),
      plan_(plan_training(config, ops, grid_.layout())),
      arena_(backend, plan_.memory),
      stream_(backend),
      groups_(backend, stream_, grid_),
      micro_batch_(stream_, config.train.cuda_graph),
      snapshot_(host_memory(snapshot_bytes(plan_), plan_.memory)),
      statistics_(*plan_.model, plan_.layout) {
    if (!plan_.snapshot.valid() && backend.device().type != DeviceType::kCpu)
        fail(ExitCode::kBadConfig,
             "train.checkpoint_background: false is for a CPU alone: what a GPU has reaches a file "
             "by a copy in the host's memory");
    plan_.model->prepare(pass());
}

void TrainingSession::initialise(uint64_t seed) {
    plan_.model->initialise(pass(), seed);
    plan_.optimizer->reset(pass());
}

void TrainingSession::restore(const Checkpoint& checkpoint) {
    const AdamWOptimizer& optimizer = *plan_.optimizer;
    // An imported model has no moments: they are those of a first step.
    const bool has_moments = checkpoint.state().updates > 0;
    if (!has_moments) optimizer.reset(pass());
    for (const Parameter* parameter : plan_.model->parameters()) {
        const TensorId remainder = optimizer.remainder(parameter->index);
        const Shard kept = optimizer.kept(*parameter);
        read_weight(checkpoint, *parameter, pass(),
                    remainder.valid() ? arena_[remainder] : Tensor{}, kept);
        if (!parameter->learned || !has_moments) continue;
        const auto read = [&](const char* part, TensorId id) {
            read_into(checkpoint, parameter->name + part, parameter->shape,
                      parameter->first + kept.begin, arena_[id], stream_);
        };
        read(".m", optimizer.m(parameter->index));
        read(".v", optimizer.v(parameter->index));
    }
}

std::vector<FileContents> TrainingSession::snapshot(int64_t step) {
    const std::string bad = plan_.optimizer->first_bad_weight(pass());
    if (!bad.empty())
        fail(ExitCode::kNumerics, "step {}: {} is not finite: nothing was saved", step, bad);
    std::vector<FileContents> files(2);
    files[0].name = state_file("weights", plan_.layout);
    files[1].name = state_file("optimizer", plan_.layout);
    size_t used = 0;
    const auto in_host = [&](const Tensor& tensor) {
        if (!plan_.snapshot.valid() || tensor.data == nullptr) return tensor;
        const Tensor copy{snapshot_.get() + used, tensor.shape, tensor.dtype, {}};
        used += static_cast<size_t>(
            round_up(static_cast<int64_t>(tensor.bytes()), Backend::kAlignment));
        PT_CHECK(used <= snapshot_bytes(plan_), "more to save than was planned");
        stream_.download(copy.data, tensor, tensor.bytes());
        return copy;
    };
    for (const Parameter* parameter : plan_.model->parameters()) {
        const AdamWOptimizer::State state = plan_.optimizer->own_state(pass(), *parameter);
        const auto add = [&](FileContents& file, const char* part, const Tensor& tensor,
                             const Tensor& remainder = {}) {
            if (state.shard.elements() == 0 && parameter->shape.elements() > 0) return;
            file.slices.emplace_back(parameter->name + part, parameter->shape,
                                     parameter->first + state.shard.begin, in_host(tensor),
                                     in_host(remainder));
        };
        add(files[0], "", state.weight, state.remainder);
        if (!parameter->learned) continue;
        add(files[1], ".m", state.m);
        add(files[1], ".v", state.v);
    }
    return files;
}

void TrainingSession::begin_step(std::optional<int64_t> scored,
                                 std::span<const HostBatch> batches) {
    told_scored_ = scored;
    step_scored_ = round_ = 0;
    bad_batch_.reset();
    batches_ = batches;
    auxiliary_seed_ = scored ? static_cast<double>(*scored) / static_cast<double>(step_rows_) : 1;
    plan_.reducer->begin_step(pass());
    statistics_.begin();
    const auto& mixtures = plan_.model->mixtures();
    if (mixtures.empty() || mixtures[0]->router().shape().scope != BalanceScope::kGlobal ||
        batches.size() < 2)
        return;
    for (const HostBatch& batch : batches) {
        upload(batch, *plan_.model, pass());
        plan_.model->run_layers(pass());
        statistics_.count(pass());
    }
    statistics_.set_counts(pass());
}

void TrainingSession::accumulate(const HostBatch& batch) {
    const Transformer& model = *plan_.model;
    upload(batch, model, pass());
    GradientReducer& reducer = *plan_.reducer;
    Transformer::Hooks hooks;
    hooks.routed = [&] { statistics_.routed(pass()); };
    if (model.mixtures().empty() && reducer.pass_round()) {
        hooks.routed();
        micro_batch_.run([&] { model.queue_forward_backward(pass()); });
    } else {
        reducer.begin_round(pass());
        hooks.begin = [&](size_t bucket) { reducer.begin_bucket(pass(), bucket); };
        hooks.ready = [&](size_t bucket) { reducer.bucket_ready(pass(), bucket); };
        model.queue_forward_backward(pass(), hooks);
    }
    const Transformer::LossSums sums = model.read_losses(pass());
    if (!std::isfinite(sums.cross_entropy + sums.z) && !bad_batch_) {
        bad_round_ = round_;
        bad_batch_ = batch;
    }
    ++round_;
    statistics_.add_losses(sums);
    step_scored_ += batch.scored();
}

int64_t TrainingSession::scored() const {
    // A step without a scored token has no gradient: dividing 0 by 1 keeps it so.
    return std::max<int64_t>(1, told_scored_.value_or(step_scored_));
}

StepResult TrainingSession::measure_step(int64_t step) {
    const ProfileRange range(stream_, "gradient norm");
    plan_.reducer->end_step(pass());
    statistics_.end(pass(), plan_.rounds);
    step_norm_ = plan_.optimizer->gradient_norm(pass(), scored());
    const StepStatistics::Means means = statistics_.means(scored(), step_rows_);
    const StepResult result{means.loss,          means.z_loss, means.balance_loss,
                            means.router_z_loss, step_norm_,   told_scored_.value_or(step_scored_),
                            statistics_.loads()};
    if (!std::isfinite(result.loss) || !std::isfinite(result.grad_norm))
        fail(ExitCode::kNumerics,
             "step {}: the loss is {} and the gradient norm {}: the update was not made. First bad "
             "tensor in the model's order: {}. Lower optimizer.lr, or lengthen "
             "optimizer.schedule.warmup_steps",
             step, result.loss, result.grad_norm, first_bad_tensor());
    return result;
}

void TrainingSession::update(int64_t number, double lr) {
    const ProfileRange range(stream_, "update");
    plan_.optimizer->step(pass(), number, lr, step_norm_, scored());
    if (bias_rate_ > 0) update_router_biases(pass(), *plan_.model, statistics_.loads(), bias_rate_);
}

// Runs the first round again that made a loss on any rank which isn't finite. All ranks do, since
// they may share experts.
std::string TrainingSession::first_bad_activation() const {
    const Pass on = pass();
    constexpr int64_t kMostRounds = int64_t{1} << 40;
    int64_t first = bad_batch_ ? kMostRounds - bad_round_ : 0;  // the first is the highest
    if (plan_.layout.ranks > 1)
        grid_.all()
            .all_reduce({&first, {1}, DType::kI64, {}}, Reduce::kMax, "first bad round")
            .wait();
    if (first == 0) return {};
    const auto round = static_cast<size_t>(kMostRounds - first);
    PT_CHECK(round < batches_.size() || bad_batch_, "round {} was not told", round);
    upload(round < batches_.size() ? batches_[round] : *bad_batch_, *plan_.model, on);
    const auto for_each_activation = [&](const auto& f) {
        for (size_t i = 0; i < plan_.memory.entries().size(); ++i) {
            const MemoryPlan::Entry& entry = plan_.memory.entries()[i];
            if (entry.life == Life::kSaved && is_float(entry.dtype))
                f(entry.name, on[TensorId{static_cast<int>(i)}]);
        }
    };
    // Experts don't fill all that was planned for them.
    for_each_activation([&](const std::string&, const Tensor& tensor) { stream_.zero(tensor); });
    plan_.model->forward(on);
    std::string bad;
    for_each_activation([&](const std::string& name, const Tensor& tensor) {
        if (bad.empty() && !std::isfinite(squared_sum(ops_, stream_, tensor)))
            bad = "activation " + name;
    });
    for (const std::string& other : gather_texts(grid_.all(), bad, "first bad activation"))
        if (!other.empty()) return other;
    return {};
}

std::string TrainingSession::first_bad_tensor() const {
    if (const std::string weight = plan_.optimizer->first_bad_weight(pass()); !weight.empty())
        return "weight " + weight;
    if (const std::string activation = first_bad_activation(); !activation.empty())
        return activation;
    const std::string gradient = plan_.optimizer->first_bad_gradient();
    return gradient.empty() ? "none; the sum overflowed" : "gradient of " + gradient;
}

double TrainingSession::loss_sum(const HostBatch& batch) const {
    upload(batch, *plan_.model, pass());
    return plan_.model->forward(pass()).cross_entropy;
}

CoefficientSets coefficient_sets(const std::string& name, const Shape& shape,
                                 const std::vector<float>& values) {
    if (shape.rank() == 1) return {{name, {values.begin(), values.end()}}};
    CoefficientSets sets;
    const std::string experts = name.substr(0, name.rfind('.'));
    for (int64_t e = 0; e < shape[0]; ++e) {
        const auto first = values.begin() + e * shape[1];
        sets.emplace_back(fmt::format("{}.{}.coefficients", experts, e),
                          std::vector<double>(first, first + shape[1]));
    }
    return sets;
}

CoefficientSets TrainingSession::coefficients() const {
    CoefficientSets all;
    for (const Parameter* parameter : plan_.model->parameters()) {
        if (parameter->decay != DecayClass::kCoefficient) continue;
        const Tensor value = arena_[parameter->value];
        std::vector<float> host(static_cast<size_t>(parameter->shape.elements()));
        PT_CHECK(value.dtype == DType::kF32, "coefficients of type {}", name_of(value.dtype));
        stream_.download(host.data() + parameter->first, value, value.bytes());
        if (const int64_t places = grid_.layout().expert; parameter->is_experts() && places > 1) {
            std::vector<int64_t> offsets;
            for (int64_t i = 0; i <= places; ++i)
                offsets.push_back(i * static_cast<int64_t>(value.bytes()));
            grid_.experts().all_gather(host.data(), offsets, parameter->name).wait();
        }
        for (auto& set : coefficient_sets(parameter->name, parameter->shape, host))
            all.push_back(std::move(set));
    }
    return all;
}

InferenceSession::InferenceSession(const RunConfig& config, Backend& backend, const OpTable& ops,
                                   const Checkpoint& checkpoint, int64_t batch, int64_t time,
                                   int64_t cache, bool keeps_activations)
    : ops_(ops),
      model_(config.model, ops.activations()),
      own_stream_(std::in_place, backend),
      stream_(*own_stream_) {
    Planner planner{
        memory_, ops, batch, time > 0 ? time : config.model.context, storage_type(config), false};
    planner.cache = cache;
    planner.keeps_activations = keeps_activations;
    model_.plan(planner);
    arena_ = std::make_unique<Arena>(backend, memory_);
    for (const Parameter* parameter : model_.parameters())
        read_weight(checkpoint, *parameter, pass());
    model_.prepare(pass());
}

Planner borrowing_planner(const RunConfig& config, const OpTable& ops, const Layout& layout,
                          int64_t time, int64_t cache, MemoryPlan& memory) {
    Planner planner{memory, ops, 1, time, storage_type(config), false};
    planner.cache = cache;
    planner.borrows = true;
    planner.layout = layout;
    // One expert's rows of one rank must fit.
    if (config.parallel.expert_rows > 0)
        planner.expert_rows = std::max(config.parallel.expert_rows, time);
    return planner;
}

InferenceSession::InferenceSession(const RunConfig& config, const TrainingSession& training,
                                   int64_t time, int64_t cache)
    : ops_(training.pass().ops),
      model_(config.model, ops_.activations()),
      stream_(training.pass().stream),
      grid_(training.pass().grid),
      groups_(training.pass().groups) {
    model_.plan(borrowing_planner(config, ops_, grid_->layout(), time, cache, memory_));
    arena_ = std::make_unique<Arena>(stream_.backend(), memory_);
    for (const Parameter* parameter : model_.parameters()) {
        const auto index = static_cast<size_t>(parameter->index);
        arena_->lend(parameter->value,
                     training.pass()[training.model().parameters()[index]->value]);
    }
    model_.prepare(pass());
}

std::vector<double> InferenceSession::losses(const PackedSequences& packed) const {
    Pass on = pass();
    // A rank without sequences takes part in the exchanges of experts all the same.
    static constexpr std::array kIdle{Segment{0, 1, 0}};
    on.segments = packed.segments;
    if (packed.segments.empty()) on.segments = kIdle;
    const Tensor ids_N = model_.ids(on);
    std::vector<int32_t> ids = packed.ids;
    PT_CHECK(std::ssize(ids) <= ids_N.elements(), "{} rows, {} planned", ids.size(),
             ids_N.elements());
    ids.resize(static_cast<size_t>(ids_N.elements()));
    stream_.upload(ids_N, ids.data(), ids_N.bytes());
    return model_.losses_after(on, packed.rows, packed.targets);
}

double InferenceSession::loss_sum(const HostBatch& batch) const {
    upload(batch, model_, pass());
    return model_.forward(pass()).cross_entropy;
}

void InferenceSession::run_layers(const HostBatch& batch) const {
    upload(batch, model_, pass());
    model_.run_layers(pass());
}

std::vector<float> InferenceSession::values(const std::string& tensor) const {
    return to_host<float>(stream_, pass()[memory_.find(tensor)]);
}

}  // namespace polytrain
