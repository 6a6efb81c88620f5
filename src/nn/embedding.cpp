#include "nn/embedding.hpp"

namespace polytrain {

Embedding::Embedding(std::string name, int64_t vocabulary, int64_t width, Init init) {
    table_VC_.name = std::move(name);
    table_VC_.shape = {vocabulary, width};
    table_VC_.init = std::move(init);
    table_VC_.decay = DecayClass::kEmbedding;
}

void Embedding::plan(const Planner& planner) {
    table_VC_.dtype = planner.dtype;
    planner.declare(table_VC_);
    if (!planner.training) return;
    const MemoryPlan::Scope scope(planner.plan);
    const Tensor ids = Planner::described({planner.rows()}, DType::kI32);
    const Tensor dy = Planner::described({planner.rows(), table_VC_.shape[1]}, planner.dtype);
    const Tensor dtable = Planner::described(table_VC_.shape, planner.acc());
    scratch_ = planner.scratch_of(table_VC_.name, EmbeddingBackward{ids, dy, dtable, {}});
}

void Embedding::forward(const Pass& pass, const Tensor& ids_N, const Tensor& y_NC) const {
    pass.run(EmbeddingForward{ids_N, pass[table_VC_.value], y_NC});
}

void Embedding::backward(const Pass& pass, const Tensor& dy_NC, const Tensor& ids_N) const {
    pass.run(EmbeddingBackward{ids_N, dy_NC, pass[table_VC_.gradient], pass[scratch_]});
}

}  // namespace polytrain
