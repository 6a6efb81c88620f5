#include "model/block.hpp"

#include "ops/elementwise.hpp"

namespace polytrain {
namespace {

std::unique_ptr<FeedForwardPart> make_feed_forward(
    const std::string& block, const std::variant<FeedForwardShape, MoeShape>& shape) {
    if (const auto* moe = std::get_if<MoeShape>(&shape))
        return std::make_unique<Moe>(block + ".moe", *moe);
    return std::make_unique<FeedForward>(block + ".feed_forward",
                                         std::get<FeedForwardShape>(shape));
}

}  // namespace

Block::Block(const std::string& name, const AttentionConfig& attention,
             const std::variant<FeedForwardShape, MoeShape>& shape, double norm_eps)
    : name_(name),
      width_(attention.width),
      attention_norm_(name + ".attention_norm", width_, norm_eps),
      attention_(name + ".attention", attention),
      feed_forward_norm_(name + ".feed_forward_norm", width_, norm_eps),
      feed_forward_(make_feed_forward(name, shape)) {}

std::vector<Parameter*> Block::parameters() {
    std::vector<Parameter*> all;
    for (const auto& part : {attention_norm_.parameters(), attention_.parameters(),
                             feed_forward_norm_.parameters(), feed_forward_->parameters()})
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

void Block::plan(const Planner& planner) {
    const Shape shape{planner.rows(), width_};
    recomputed_ = planner.recompute == Recompute::kBlock;
    out_NC_ = planner.saved(name_ + ".out_NC", shape, planner.dtype);
    const MemoryPlan::Scope scope(planner.plan);
    const auto saved = [&](const char* part) {
        return planner.saved_in_block(name_ + part, shape, planner.dtype);
    };
    attention_in_NC_ = saved(".attention_in_NC");
    mid_NC_ = saved(".mid_NC");
    feed_forward_in_NC_ = saved(".feed_forward_in_NC");
    branch_NC_ = planner.scratch(name_ + ".branch_NC", shape, planner.dtype);
    attention_norm_.plan(planner);
    attention_.plan(planner);
    feed_forward_norm_.plan(planner);
    feed_forward_->plan(planner);
}

void Block::forward_attention(const Pass& pass, const Tensor& x_NC, const Tensor& rotary_TD) const {
    const ProfileRange range(pass.stream, "attention");
    const Tensor attention_in = pass.in_use(attention_in_NC_), mid = pass.in_use(mid_NC_);
    const Tensor branch = pass.in_use(branch_NC_);
    attention_norm_.forward(pass, x_NC, attention_in);
    attention_.forward(pass, attention_in, rotary_TD, branch);
    feed_forward_norm_.forward_sum(pass, x_NC, branch, mid, pass.in_use(feed_forward_in_NC_));
}

Tensor Block::forward(const Pass& pass, const Tensor& x_NC, const Tensor& rotary_TD) const {
    const ProfileRange block(pass.stream, name_);
    const Tensor branch = pass.in_use(branch_NC_), out = pass.in_use(out_NC_);
    forward_attention(pass, x_NC, rotary_TD);
    const ProfileRange range(pass.stream, "feed_forward");
    feed_forward_->forward(pass, pass.in_use(feed_forward_in_NC_), branch);
    pass.run(Add{pass.in_use(mid_NC_), branch, out});
    return out;
}

void Block::backward(const Pass& pass, const Tensor& x_NC, const Tensor& rotary_TD,
                     const Tensor& d_NC) const {
    const ProfileRange block(pass.stream, name_);
    if (recomputed_) {
        const ProfileRange range(pass.stream, "recompute");
        forward_attention(pass, x_NC, rotary_TD);
        feed_forward_->rebuild(pass, pass[feed_forward_in_NC_]);
    }
    const Tensor dnormed = pass[branch_NC_];
    {
        const ProfileRange range(pass.stream, "feed_forward");
        feed_forward_->backward(pass, d_NC, pass[feed_forward_in_NC_], dnormed);
        feed_forward_norm_.backward_add(pass, dnormed, pass[mid_NC_], d_NC);
    }
    const ProfileRange range(pass.stream, "attention");
    attention_.backward(pass, d_NC, pass[attention_in_NC_], rotary_TD, dnormed);
    attention_norm_.backward_add(pass, dnormed, x_NC, d_NC);
}

}  // namespace polytrain
