#pragma once

#include <optional>

#include "nn/expert_exchange.hpp"
#include "nn/experts.hpp"
#include "nn/router.hpp"

namespace polytrain {

struct MoeShape {
    RouterShape router;
    FeedForwardShape expert;
    bool coefficients_per_expert;
    int64_t shared_hidden;  // of a feed-forward part that every token passes besides; 0: none
};

// A mixture of experts, dropless: y_n = sum_k w_nk expert_(e_nk)(x_n) [+ shared(x_n)], with the k
// experts and weights that the router chooses, summed in the router's order. Tokens are brought
// into the order of their experts, to the ranks that hold these, and back.
class Moe final : public FeedForwardPart {
  public:
    Moe(const std::string& name, const MoeShape& shape);

    std::vector<Parameter*> parameters() override;
    void plan(const Planner& planner) override;

    void forward(const Pass& pass, const Tensor& x_NC, const Tensor& y_NC) const override;
    void rebuild(const Pass& pass, const Tensor& x_NC) const override;
    void backward(const Pass& pass, const Tensor& dy_NC, const Tensor& x_NC,
                  const Tensor& dx_NC) const override;

    const Router& router() const { return router_; }

  private:
    // Up to the rows that the experts make, in outputs_RC.
    void run_experts(const Pass& pass, const Tensor& x_NC) const;
    // Where other ranks' tokens come too: dinputs_RC of drows_RC.
    void experts_backward(const Pass& pass, const Tensor& x_NC, const Tensor& drows_RC,
                          const Tensor& dinputs_RC) const;
    Tensor slots(const Pass& pass) const { return pass.in_use(slots_NK_); }

    std::string name_;
    int64_t width_, top_k_;
    Router router_;
    mutable ExpertExchange exchange_;  // it keeps where the last forward's rows went
    Experts experts_;
    std::optional<FeedForward> shared_;
    // On the tokens' side: R = N K rows.
    TensorId slots_NK_, rows_RC_, outputs_RC_, drows_RC_, dinputs_RC_, dweights_NK_, shared_NC_;
    // On the experts' side, where there are other ranks: as many rows as arrive.
    TensorId arrived_RC_, made_RC_, darrived_RC_, dmade_RC_;
};

}  // namespace polytrain
