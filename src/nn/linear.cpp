#include "nn/linear.hpp"

namespace polytrain {

Linear::Linear(std::string name, int64_t in, int64_t out, Init init) {
    weight_.name = std::move(name);
    weight_.shape = {out, in};
    weight_.init = std::move(init);
}

void Linear::plan(const Planner& planner) {
    weight_.dtype = planner.dtype;
    planner.declare(weight_);
    const DType dtype = planner.dtype;
    const int64_t n = planner.rows(), out = weight_.shape[0], in = weight_.shape[1];
    const Tensor x = Planner::described({n, in}, dtype), y = Planner::described({n, out}, dtype);
    const Tensor w = Planner::described(weight_.shape, dtype);
    {
        const MemoryPlan::Scope scope(planner.plan);
        // A decoder takes the planned rows or one.
        const int64_t least = planner.cache > 0 ? 1 : n;
        const LinearForward all{x, w, y, {}};
        const LinearForward one{
            Planner::described({least, in}, dtype), w, Planner::described({least, out}, dtype), {}};
        forward_scratch_ = planner.scratch_of(weight_.name + ".forward", all, one);
    }
    if (!planner.training) return;
    {
        const MemoryPlan::Scope scope(planner.plan);
        input_scratch_ =
            planner.scratch_of(weight_.name + ".backward_input", LinearBackwardInput{y, w, x, {}});
    }
    const MemoryPlan::Scope scope(planner.plan);
    const Tensor dw = Planner::described(weight_.shape, planner.acc());
    weight_scratch_ =
        planner.scratch_of(weight_.name + ".backward_weight", LinearBackwardWeight{y, x, dw, {}});
}

void Linear::forward(const Pass& pass, const Tensor& x_NI, const Tensor& y_NO) const {
    pass.run(LinearForward{x_NI, pass[weight_.value], y_NO, pass[forward_scratch_]});
}

void Linear::backward(const Pass& pass, const Tensor& dy_NO, const Tensor& x_NI,
                      const Tensor& dx_NI) const {
    pass.run(LinearBackwardWeight{dy_NO, x_NI, pass[weight_.gradient], pass[weight_scratch_]});
    pass.run(LinearBackwardInput{dy_NO, pass[weight_.value], dx_NI, pass[input_scratch_]});
}

}  // namespace polytrain
