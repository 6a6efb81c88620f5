#include "nn/qk_norm.hpp"

namespace polytrain {

QkNorm::QkNorm(const std::string& name, int64_t heads, int64_t kv_heads, int64_t head_width,
               QkNormKind kind, double eps)
    : heads_(heads),
      kv_heads_(kv_heads),
      head_width_(head_width),
      per_head_(kind == QkNormKind::kHead),
      eps_(eps) {
    const auto make_gain = [&](Parameter& gain, const char* part, int64_t count) {
        gain.name = name + part;
        gain.shape = {per_head_ ? head_width : count * head_width};
        gain.init = Init::constant(1);
        gain.decay = DecayClass::kGain;
    };
    make_gain(gain_q_, ".q_norm.gain", heads);
    make_gain(gain_k_, ".k_norm.gain", kv_heads);
}

void QkNorm::plan(const Planner& planner) {
    for (Parameter* gain : parameters()) {
        gain->dtype = planner.acc();
        planner.declare(*gain);
    }
    rstd_NS_ = planner.saved_in_block(gain_q_.name + ".rstd",
                                      {planner.rows(), per_head_ ? heads_ + kv_heads_ : int64_t{2}},
                                      planner.acc());
    if (!planner.training) return;
    const MemoryPlan::Scope scope(planner.plan);
    const Tensor x =
        Planner::described({planner.rows(), (heads_ + 2 * kv_heads_) * head_width_}, planner.dtype);
    const Tensor gain_q = Planner::described(gain_q_.shape, planner.acc());
    const Tensor gain_k = Planner::described(gain_k_.shape, planner.acc());
    scratch_ = planner.scratch_of(gain_q_.name, QkNormBackward{x,
                                                               gain_q,
                                                               gain_k,
                                                               planner.described(rstd_NS_),
                                                               x,
                                                               gain_q,
                                                               gain_k,
                                                               {},
                                                               heads_,
                                                               kv_heads_,
                                                               per_head_});
}

void QkNorm::forward(const Pass& pass, const Tensor& x_NP, const Tensor& y_NP) const {
    pass.run(QkNormForward{x_NP, pass[gain_q_.value], pass[gain_k_.value], y_NP,
                           pass.in_use(rstd_NS_), heads_, kv_heads_, per_head_, eps_});
}

void QkNorm::backward(const Pass& pass, const Tensor& x_NP, const Tensor& d_NP) const {
    pass.run(QkNormBackward{x_NP, pass[gain_q_.value], pass[gain_k_.value], pass[rstd_NS_], d_NP,
                            pass[gain_q_.gradient], pass[gain_k_.gradient], pass[scratch_], heads_,
                            kv_heads_, per_head_});
}

}  // namespace polytrain
