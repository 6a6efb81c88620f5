#include "nn/loss_head.hpp"

#include <algorithm>

#include "core/checked.hpp"

namespace polytrain {
namespace {

constexpr int64_t kChunkElements = int64_t{1} << 23;  // of logits: 32 MiB in f32

}  // namespace

LossHead::LossHead(std::string name, int64_t vocabulary, int64_t width, Init init, double z_weight)
    : z_weight_(z_weight) {
    own_.emplace();
    own_->name = std::move(name);
    own_->shape = {vocabulary, width};
    own_->init = std::move(init);
}

std::vector<Parameter*> LossHead::parameters() {
    if (tied_ != nullptr) return {};
    return {&*own_};
}

void LossHead::plan(const Planner& planner) {
    if (own_) {
        own_->dtype = planner.dtype;
        planner.declare(*own_);
    }
    rows_ = planner.rows();
    const int64_t n = rows_, vocabulary = weight().shape[0];
    full_.rows = std::clamp<int64_t>(kChunkElements / vocabulary, std::min<int64_t>(n, 16), n);
    last_.rows = n % full_.rows;
    const MemoryPlan::Scope scope(planner.plan);
    logits_ =
        planner.scratch(weight().name + ".logits_NV", {full_.rows, vocabulary}, planner.dtype);
    plan_chunk(planner, full_);
    if (last_.rows > 0) plan_chunk(planner, last_);
    if (!planner.training) {
        single_.rows = 1;
        plan_chunk(planner, single_);
    }
}

void LossHead::plan_chunk(const Planner& planner, Chunk& chunk) {
    const Parameter& w = weight();
    const Tensor x = Planner::described({chunk.rows, w.shape[1]}, planner.dtype);
    const Tensor y = Planner::described({chunk.rows, w.shape[0]}, planner.dtype);
    const Tensor matrix = Planner::described(w.shape, planner.dtype);
    {
        const MemoryPlan::Scope scope(planner.plan);
        chunk.forward_scratch =
            planner.scratch_of(w.name + ".forward", LinearForward{x, matrix, y, {}});
    }
    if (!planner.training) return;
    {
        const MemoryPlan::Scope scope(planner.plan);
        chunk.input_scratch =
            planner.scratch_of(w.name + ".backward_input", LinearBackwardInput{y, matrix, x, {}});
    }
    const MemoryPlan::Scope scope(planner.plan);
    const Tensor gradient = Planner::described(w.shape, planner.acc());
    chunk.weight_scratch =
        planner.scratch_of(w.name + ".backward_weight", LinearBackwardWeight{y, x, gradient, {}});
}

void LossHead::run(const Pass& pass, const Tensor& x_NC, const Tensor& targets_N,
                   const Losses& losses, const Tensor* dx_NC) const {
    const int64_t n = x_NC.dim(0);
    const Tensor w = pass[weight().value];
    for (int64_t begin = 0; begin < n; begin += full_.rows) {
        const int64_t end = std::min(n, begin + full_.rows);
        const Chunk& chunk = end - begin == full_.rows ? full_ : last_;
        const Tensor x = x_NC.rows(begin, end), logits = pass[logits_].rows(0, end - begin);
        pass.run(LinearForward{x, w, logits, pass[chunk.forward_scratch]});
        // The gradient takes the logits' place.
        pass.run(CrossEntropy{logits, targets_N.rows(begin, end),
                              losses.cross_entropy_N.rows(begin, end), losses.z_N.rows(begin, end),
                              dx_NC != nullptr ? logits : Tensor{}, z_weight_});
        if (dx_NC == nullptr) continue;
        pass.run(
            LinearBackwardWeight{logits, x, pass[weight().gradient], pass[chunk.weight_scratch]});
        pass.run(
            LinearBackwardInput{logits, w, dx_NC->rows(begin, end), pass[chunk.input_scratch]});
    }
}

void LossHead::forward(const Pass& pass, const Tensor& x_NC, const Tensor& targets_N,
                       const Losses& losses) const {
    run(pass, x_NC, targets_N, losses, nullptr);
}

void LossHead::forward_backward(const Pass& pass, const Tensor& x_NC, const Tensor& targets_N,
                                const Losses& losses, const Tensor& dx_NC) const {
    run(pass, x_NC, targets_N, losses, &dx_NC);
}

int64_t LossHead::whole_chunks(int64_t rows) const {
    return std::min(rows_, round_up(rows, full_.rows));
}

Tensor LossHead::logits(const Pass& pass, const Tensor& x_1C) const {
    PT_CHECK(single_.rows == 1, "logits of a model planned for training");
    const Tensor logits = pass[logits_].rows(0, 1);
    pass.run(LinearForward{x_1C, pass[weight().value], logits, pass[single_.forward_scratch]});
    return logits;
}

}  // namespace polytrain
