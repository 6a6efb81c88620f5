#include "nn/rms_norm.hpp"

namespace polytrain {

RmsNorm::RmsNorm(std::string name, int64_t width, double eps) : eps_(eps) {
    gain_.name = std::move(name) + ".gain";
    gain_.shape = {width};
    gain_.init = Init::constant(1);
    gain_.decay = DecayClass::kGain;
}

void RmsNorm::plan(const Planner& planner) {
    gain_.dtype = planner.acc();
    planner.declare(gain_);
    rstd_N_ = planner.saved_in_block(gain_.name + ".rstd", {planner.rows()}, planner.acc());
    if (!planner.training) return;
    const MemoryPlan::Scope scope(planner.plan);
    const Tensor x = Planner::described({planner.rows(), gain_.shape[0]}, planner.dtype);
    const Tensor gain = Planner::described(gain_.shape, planner.acc());
    scratch_ = planner.scratch_of(
        gain_.name, RmsNormBackward{x, gain, planner.described(rstd_N_), x, x, gain, {}});
}

void RmsNorm::forward(const Pass& pass, const Tensor& x_NC, const Tensor& y_NC) const {
    pass.run(RmsNormForward{x_NC, pass[gain_.value], y_NC, pass.in_use(rstd_N_), eps_});
}

void RmsNorm::forward_sum(const Pass& pass, const Tensor& x_NC, const Tensor& residual_NC,
                          const Tensor& sum_NC, const Tensor& y_NC) const {
    pass.run(RmsNormForward{x_NC, pass[gain_.value], y_NC, pass.in_use(rstd_N_), eps_, residual_NC,
                            sum_NC});
}

void RmsNorm::backward(const Pass& pass, const Tensor& dy_NC, const Tensor& x_NC,
                       const Tensor& dx_NC) const {
    pass.run(RmsNormBackward{x_NC, pass[gain_.value], pass[rstd_N_], dy_NC, dx_NC,
                             pass[gain_.gradient], pass[scratch_]});
}

void RmsNorm::backward_add(const Pass& pass, const Tensor& dy_NC, const Tensor& x_NC,
                           const Tensor& d_NC) const {
    pass.run(RmsNormBackward{x_NC, pass[gain_.value], pass[rstd_N_], dy_NC, d_NC,
                             pass[gain_.gradient], pass[scratch_], d_NC});
}

}  // namespace polytrain
