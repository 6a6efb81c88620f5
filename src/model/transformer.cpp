#include "model/transformer.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/embedding.hpp"
#include "tensor/host.hpp"

namespace polytrain {

namespace {

const ActivationInfo& activation_of(const ModelConfig& config,
                                    const ActivationCatalog& activations) {
    const FeedForwardConfig& ff = config.feed_forward;
    std::string_view name = ActivationCatalog::gated_form(ff.activation);
    if (name.empty()) name = ff.activation;
    const ActivationInfo* activation = activations.find(name);
    PT_CHECK(activation != nullptr && config.kv_heads > 0 && ff.hidden > 0 && config.vocab_size > 0,
             "an unresolved model config: activation {}", ff.activation);
    return *activation;
}

// `expert` has the layer's activation; the router's initialisation is that of every matrix.
MoeShape moe_shape(const ModelConfig& config, FeedForwardShape expert) {
    const MoeConfig& moe = config.moe;
    expert.hidden = moe.hidden;
    RouterShape router{config.d_model,       moe.experts, moe.top_k,
                       moe.renormalise,      moe.balance, moe.z_loss,
                       BalanceScope::kMicro, expert.init};
    if (moe.loss_form == "olmoe") {  // means over the layers; z has one more 1/k
        const auto layers = static_cast<double>(config.layers);
        router.balance /= layers;
        router.z /= layers * static_cast<double>(moe.top_k);
    }
    if (moe.scope == "micro_dp") router.scope = BalanceScope::kMicroDp;
    if (moe.scope == "global") router.scope = BalanceScope::kGlobal;
    return {router, expert, moe.coefficients == "expert", moe.shared_hidden};
}

}  // namespace

Transformer::Transformer(const ModelConfig& config, const ActivationCatalog& activations)
    : config_(config),
      embedding_("embedding.table", config.vocab_size, config.d_model,
                 Init::normal(config.init.std, config.init.cut)),
      final_norm_("final_norm", config.d_model, config.norm_eps) {
    const FeedForwardConfig& ff = config.feed_forward;
    const ActivationInfo& activation = activation_of(config, activations);
    const Init init = Init::normal(config.init.std, config.init.cut);
    const Init output_init =
        Init::normal(config.init.depth_scaled
                         ? config.init.std / std::sqrt(2.0 * static_cast<double>(config.layers))
                         : config.init.std,
                     config.init.cut);
    std::optional<QkNormKind> qk_norm;
    if (config.qk_norm != "none")
        qk_norm = config.qk_norm == "head" ? QkNormKind::kHead : QkNormKind::kFull;
    const FeedForwardShape feed_forward{
        config.d_model, ff.hidden, &activation, static_cast<int>(ff.order),
        ff.gated,       init,      output_init};
    std::variant<FeedForwardShape, MoeShape> shape = feed_forward;
    if (config.moe.experts > 0) shape = moe_shape(config, feed_forward);
    for (int64_t layer = 0; layer < config.layers; ++layer) {
        blocks_.push_back(
            std::make_unique<Block>(fmt::format("layers.{}", layer),
                                    AttentionConfig{config.d_model, config.heads, config.kv_heads,
                                                    init, output_init, qk_norm, config.norm_eps},
                                    shape, config.norm_eps));
        if (const Moe* moe = blocks_.back()->moe()) mixtures_.push_back(moe);
    }
    head_ = config.tied ? std::make_unique<LossHead>(embedding_.table(), config.z_loss)
                        : std::make_unique<LossHead>("head.weight", config.vocab_size,
                                                     config.d_model, init, config.z_loss);

    const auto append = [this](const std::vector<Parameter*>& part) {
        parameters_.insert(parameters_.end(), part.begin(), part.end());
    };
    append(embedding_.parameters());
    for (const auto& block : blocks_) append(block->parameters());
    append(final_norm_.parameters());
    append(head_->parameters());
    for (size_t i = 0; i < parameters_.size(); ++i) parameters_[i]->index = static_cast<int>(i);

    const auto add_bucket = [this](const std::vector<std::vector<Parameter*>>& parts) {
        std::vector<const Parameter*>& bucket = buckets_.emplace_back();
        for (const auto& part : parts)
            for (const Parameter* parameter : part)
                if (parameter->learned) bucket.push_back(parameter);
    };
    add_bucket({final_norm_.parameters(), head_->parameters()});
    for (size_t i = blocks_.size(); i-- > 0;) add_bucket({blocks_[i]->parameters()});
    add_bucket({embedding_.parameters()});
}

void Transformer::plan(const Planner& planner) {
    const int64_t n = planner.rows(), width = config_.d_model;
    const auto add = [&](const char* name, Shape shape, DType dtype, Life life) {
        return planner.plan.add(name, shape, dtype, life);
    };
    ids_N_ = add("ids_N", {n}, DType::kI32, Life::kData);
    targets_N_ = add("targets_N", {n}, DType::kI32, Life::kData);
    rotary_TD_ = add("rotary_TD", {std::max(planner.time, planner.cache), width / config_.heads},
                     planner.acc(), Life::kData);
    embedded_NC_ = planner.saved("embedded_NC", {n, width}, planner.dtype);

    const MemoryPlan::Scope scope(planner.plan);
    if (planner.training) {
        d_NC_ = planner.scratch("d_NC", {n, width}, planner.dtype);
        dnormed_NC_ = planner.scratch("dnormed_NC", {n, width}, planner.dtype);
    }
    if (planner.cache > 0) {
        asked_N_ = add("asked_N", {n}, DType::kI32, Life::kData);
        asked_NC_ = planner.scratch("asked_NC", {n, width}, planner.dtype);
    }
    embedding_.plan(planner);
    for (const auto& block : blocks_) {
        std::optional<MemoryPlan::SharedGradients> shared;
        if (planner.shares_gradients) shared.emplace(planner.plan);
        block->plan(planner);
    }
    normed_NC_ = planner.saved("normed_NC", {n, width}, planner.dtype);
    loss_N_ = planner.saved("loss_N", {n}, planner.acc());
    z_loss_N_ = planner.saved("z_loss_N", {n}, planner.acc());
    loss_sums_2_ = planner.saved("loss_sums_2", {2}, DType::kF64);
    final_norm_.plan(planner);
    head_->plan(planner);
    const MemoryPlan::Scope sum_scope(planner.plan);
    sum_scratch_ = planner.scratch_of(
        "loss_sums",
        Sum{planner.described(loss_N_), Planner::described({1}, DType::kF64), false, {}});
}

void Transformer::initialise(const Pass& pass, uint64_t seed) const {
    for (const Parameter* parameter : parameters_) {
        const Tensor value = pass[parameter->value];
        const Init& init = parameter->init;
        if (init.kind == InitKind::kNormal) {
            pass.run(RandomNormal{value, philox_key(seed, "init/" + parameter->name), init.std,
                                  init.cut, parameter->first});
        } else if (init.values.size() == 1) {
            pass.run(Fill{value, init.values[0]});
        } else {
            const Tensor flat = value.reshaped({value.elements()});
            for (int64_t i = 0; i < flat.elements(); ++i)
                pass.run(Fill{flat.rows(i, i + 1),
                              init.values[static_cast<size_t>(i) % init.values.size()]});
        }
    }
}

void Transformer::prepare(const Pass& pass) const {
    pass.run(RotaryTable{pass[rotary_TD_], config_.rope_theta});
}

Tensor Transformer::hidden(const Pass& pass, std::vector<Tensor>* inputs) const {
    const ProfileRange range(pass.stream, "forward");
    Tensor x = pass.in_use(embedded_NC_);
    embedding_.forward(pass, pass.in_use(ids_N_), x);
    for (const auto& block : blocks_) {
        if (inputs != nullptr) inputs->push_back(x);
        x = block->forward(pass, x, pass[rotary_TD_]);
    }
    final_norm_.forward(pass, x, pass.in_use(normed_NC_));
    return x;
}

void Transformer::sum_losses(const Pass& pass) const {
    const Tensor sums = pass[loss_sums_2_];
    pass.run(Sum{pass[loss_N_], sums.rows(0, 1), false, pass[sum_scratch_]});
    pass.run(Sum{pass[z_loss_N_], sums.rows(1, 2), false, pass[sum_scratch_]});
}

Transformer::LossSums Transformer::read_losses(const Pass& pass) const {
    std::array<double, 2> host{};
    pass.stream.download(host.data(), pass[loss_sums_2_], sizeof(host));
    return {host[0], host[1]};
}

Transformer::LossSums Transformer::forward(const Pass& pass) const {
    hidden(pass, nullptr);
    head_->forward(pass, pass[normed_NC_], pass[targets_N_], losses(pass));
    sum_losses(pass);
    return read_losses(pass);
}

Transformer::LossSums Transformer::forward_backward(const Pass& pass, const Hooks& hooks) const {
    queue_forward_backward(pass, hooks);
    return read_losses(pass);
}

void Transformer::queue_forward_backward(const Pass& pass, const Hooks& hooks) const {
    std::vector<Tensor> inputs;
    inputs.reserve(blocks_.size());
    const Tensor last = hidden(pass, &inputs);
    if (hooks.routed) hooks.routed();
    size_t bucket = 0;
    const auto ready = [&] {
        if (hooks.ready) hooks.ready(bucket);
        ++bucket;
        if (hooks.begin && bucket < buckets_.size()) hooks.begin(bucket);
    };
    if (hooks.begin) hooks.begin(bucket);
    const Tensor d = pass[d_NC_], dnormed = pass[dnormed_NC_];
    {
        const ProfileRange range(pass.stream, "head");
        head_->forward_backward(pass, pass[normed_NC_], pass[targets_N_], losses(pass), dnormed);
        sum_losses(pass);
    }
    const ProfileRange range(pass.stream, "backward");
    final_norm_.backward(pass, dnormed, last, d);
    ready();
    for (size_t i = blocks_.size(); i-- > 0;) {
        blocks_[i]->backward(pass, inputs[i], pass[rotary_TD_], d);
        ready();
    }
    embedding_.backward(pass, d, pass[ids_N_]);
    ready();
}

std::vector<double> Transformer::losses_after(const Pass& pass, std::span<const int32_t> rows,
                                              std::span<const int32_t> targets) const {
    const int64_t asked = std::ssize(rows), all = head_->whole_chunks(asked);
    PT_CHECK(asked_N_.valid() && asked == std::ssize(targets) && asked <= all,
             "{} rows, {} targets, room for {}", asked, targets.size(), all);
    const auto upload = [&](const Tensor& to, std::span<const int32_t> from, int32_t rest) {
        std::vector<int32_t> padded(from.begin(), from.end());
        padded.resize(static_cast<size_t>(all), rest);
        pass.stream.upload(to, padded.data(), to.bytes());
    };
    const Tensor asked_N = pass[asked_N_].rows(0, all), targets_N = pass[targets_N_].rows(0, all);
    const Tensor asked_NC = pass[asked_NC_].rows(0, all), loss_N = pass[loss_N_].rows(0, asked);
    upload(asked_N, rows, 0);
    upload(targets_N, targets, kNotScored);
    hidden(pass, nullptr);
    pass.run(EmbeddingForward{asked_N, pass[normed_NC_], asked_NC});
    head_->forward(pass, asked_NC, targets_N, losses(pass));
    if (loss_N.dtype == DType::kF64) return to_host<double>(pass.stream, loss_N);
    const std::vector<float> narrow = to_host<float>(pass.stream, loss_N);
    return {narrow.begin(), narrow.end()};
}

Tensor Transformer::logits_after(const Pass& pass, int64_t row) const {
    hidden(pass, nullptr);
    return head_->logits(pass, pass[normed_NC_].rows(row, row + 1));
}

}  // namespace polytrain
