#include "nn/attention.hpp"

namespace polytrain {

Attention::Attention(const std::string& name, const AttentionConfig& config)
    : name_(name),
      width_(config.width),
      heads_(config.heads),
      kv_heads_(config.kv_heads),
      packed_((config.heads + 2 * config.kv_heads) * (config.width / config.heads)),
      qkv_(name + ".qkv", width_, packed_, config.init),
      out_(name + ".out", width_, width_, config.output_init) {}

std::vector<Parameter*> Attention::parameters() {
    return {qkv_.parameters()[0], out_.parameters()[0]};
}

void Attention::plan(const Planner& planner) {
    const int64_t n = planner.rows();
    const DType dtype = planner.dtype;
    time_ = planner.time;
    qkv_NP_ = planner.saved(name_ + ".qkv_NP", {n, packed_}, dtype);
    y_NC_ = planner.saved(name_ + ".y_NC", {n, width_}, dtype);
    lse_NH_ = planner.saved(name_ + ".lse_NH", {n, heads_}, planner.acc());
    const Tensor qkv = planner.described(qkv_NP_), y = planner.described(y_NC_);
    const Tensor lse = planner.described(lse_NH_);

    const MemoryPlan::Scope scope(planner.plan);
    if (planner.training) {
        dqkv_NP_ = planner.scratch(name_ + ".dqkv_NP", {n, packed_}, dtype);
        dy_NC_ = planner.scratch(name_ + ".dy_NC", {n, width_}, dtype);
    }
    {
        const MemoryPlan::Scope op_scope(planner.plan);
        forward_scratch_ = planner.scratch_of(
            name_ + ".forward", AttentionForward{qkv, y, lse, {}, time_, heads_, kv_heads_});
    }
    if (planner.training) {
        const MemoryPlan::Scope op_scope(planner.plan);
        backward_scratch_ = planner.scratch_of(
            name_ + ".backward",
            AttentionBackward{qkv, y, lse, y, qkv, {}, time_, heads_, kv_heads_});
    }
    qkv_.plan(planner);
    out_.plan(planner);
}

void Attention::forward(const Pass& pass, const Tensor& x_NC, const Tensor& rotary_TD,
                        const Tensor& out_NC) const {
    const Tensor qkv = pass[qkv_NP_], y = pass[y_NC_];
    qkv_.forward(pass, x_NC, qkv);
    pass.run(RotaryApply{rotary_TD, qkv, heads_ + kv_heads_, false});
    pass.run(
        AttentionForward{qkv, y, pass[lse_NH_], pass[forward_scratch_], time_, heads_, kv_heads_});
    out_.forward(pass, y, out_NC);
}

void Attention::backward(const Pass& pass, const Tensor& dout_NC, const Tensor& x_NC,
                         const Tensor& rotary_TD, const Tensor& dx_NC) const {
    const Tensor y = pass[y_NC_], dy = pass[dy_NC_], dqkv = pass[dqkv_NP_];
    out_.backward(pass, dout_NC, y, dy);
    pass.run(AttentionBackward{pass[qkv_NP_], y, pass[lse_NH_], dy, dqkv, pass[backward_scratch_],
                               time_, heads_, kv_heads_});
    pass.run(RotaryApply{rotary_TD, dqkv, heads_ + kv_heads_, true});
    qkv_.backward(pass, dqkv, x_NC, dx_NC);
}

}  // namespace polytrain
