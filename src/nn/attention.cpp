#include "nn/attention.hpp"

namespace polytrain {
namespace {

// f(segment) for each of the pass's segments; of a pass without, for its rows in use.
template <class F>
void for_segments(const Pass& pass, int64_t rows, const F& f) {
    if (pass.segments.empty()) return f(Segment{0, rows, pass.position});
    for (const Segment& segment : pass.segments) f(segment);
}

}  // namespace

Attention::Attention(const std::string& name, const AttentionConfig& config)
    : name_(name),
      width_(config.width),
      heads_(config.heads),
      kv_heads_(config.kv_heads),
      packed_((config.heads + 2 * config.kv_heads) * (config.width / config.heads)),
      qkv_(name + ".qkv", width_, packed_, config.init),
      out_(name + ".out", width_, width_, config.output_init) {
    if (config.qk_norm)
        norm_.emplace(name, heads_, kv_heads_, width_ / heads_, *config.qk_norm, config.norm_eps);
}

std::vector<Parameter*> Attention::parameters() {
    std::vector<Parameter*> all = qkv_.parameters();
    if (norm_)
        for (Parameter* gain : norm_->parameters()) all.push_back(gain);
    all.push_back(out_.parameters()[0]);
    return all;
}

void Attention::plan(const Planner& planner) {
    const int64_t n = planner.rows();
    const DType dtype = planner.dtype;
    time_ = planner.time;
    qkv_NP_ = planner.saved_in_block(name_ + ".qkv_NP", {n, packed_}, dtype);
    y_NC_ = planner.saved_in_block(name_ + ".y_NC", {n, width_}, dtype);
    lse_NH_ = planner.saved_in_block(name_ + ".lse_NH", {n, heads_}, planner.acc());
    if (planner.cache > 0)
        cache_TK_ = planner.plan.add(name_ + ".cache_TK", {planner.cache, packed_ - width_}, dtype,
                                     Life::kData);
    if (norm_) norm_->plan(planner);

    const MemoryPlan::Scope scope(planner.plan);
    if (norm_) turned_NP_ = planner.scratch(name_ + ".turned_NP", {n, packed_}, dtype);
    if (planner.training) {
        dqkv_NP_ = planner.scratch(name_ + ".dqkv_NP", {n, packed_}, dtype);
        dy_NC_ = planner.scratch(name_ + ".dy_NC", {n, width_}, dtype);
    }
    const Tensor qkv = planner.described(qkv_NP_), y = planner.described(y_NC_);
    const Tensor lse = planner.described(lse_NH_), cache = planner.described(cache_TK_);
    {
        const MemoryPlan::Scope op_scope(planner.plan);
        forward_scratch_ =
            planner.cache > 0
                ? planner.scratch_of(name_ + ".cached",
                                     AttentionCached{qkv, cache, y, {}, 0, heads_, kv_heads_})
                : planner.scratch_of(name_ + ".forward",
                                     AttentionForward{qkv, y, lse, {}, time_, heads_, kv_heads_});
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

Tensor Attention::turned_heads(const Pass& pass, const Tensor& rotary_TD) const {
    Tensor heads = pass.in_use(qkv_NP_);
    if (norm_) {
        const Tensor normed = pass.in_use(turned_NP_);
        norm_->forward(pass, heads, normed);
        heads = normed;
    }
    for_segments(pass, heads.dim(0), [&](const Segment& segment) {
        pass.run(RotaryApply{rotary_TD, heads.rows(segment.begin, segment.end), heads_ + kv_heads_,
                             false, segment.position});
    });
    return heads;
}

void Attention::attend_to_cache(const Pass& pass, const Tensor& heads_NP,
                                const Tensor& y_NC) const {
    int64_t end = 0;
    for_segments(pass, y_NC.dim(0), [&](const Segment& segment) {
        PT_CHECK(segment.begin == end, "{}: a segment begins at row {}, behind row {}", name_,
                 segment.begin, end);
        end = segment.end;
        pass.run(AttentionCached{heads_NP.rows(segment.begin, end), pass[cache_TK_],
                                 y_NC.rows(segment.begin, end), pass[forward_scratch_],
                                 segment.position, heads_, kv_heads_});
    });
    // What lies there may be no numbers, which a router can't choose by.
    if (end < y_NC.dim(0)) pass.stream.zero(y_NC.rows(end, y_NC.dim(0)));
}

void Attention::forward(const Pass& pass, const Tensor& x_NC, const Tensor& rotary_TD,
                        const Tensor& out_NC) const {
    const Tensor y = pass.in_use(y_NC_);
    qkv_.forward(pass, x_NC, pass.in_use(qkv_NP_));
    const Tensor heads = turned_heads(pass, rotary_TD);
    if (cache_TK_.valid())
        attend_to_cache(pass, heads, y);
    else
        pass.run(AttentionForward{heads, y, pass[lse_NH_], pass[forward_scratch_], time_, heads_,
                                  kv_heads_});
    out_.forward(pass, y, out_NC);
}

void Attention::backward(const Pass& pass, const Tensor& dout_NC, const Tensor& x_NC,
                         const Tensor& rotary_TD, const Tensor& dx_NC) const {
    const Tensor y = pass[y_NC_], dy = pass[dy_NC_], dqkv = pass[dqkv_NP_];
    out_.backward(pass, dout_NC, y, dy);
    // Without a norm the projection was turned in place; with one it is kept as it was.
    const Tensor heads = norm_ ? turned_heads(pass, rotary_TD) : pass[qkv_NP_];
    pass.run(AttentionBackward{heads, y, pass[lse_NH_], dy, dqkv, pass[backward_scratch_], time_,
                               heads_, kv_heads_});
    pass.run(RotaryApply{rotary_TD, dqkv, heads_ + kv_heads_, true});
    if (norm_) norm_->backward(pass, pass[qkv_NP_], dqkv);
    qkv_.backward(pass, dqkv, x_NC, dx_NC);
}

}  // namespace polytrain
