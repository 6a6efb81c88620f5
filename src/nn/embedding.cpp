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
}

void Embedding::forward(const Pass& pass, const Tensor& ids_N, const Tensor& y_NC) const {
    pass.run(EmbeddingForward{ids_N, pass[table_VC_.value], y_NC});
}

void Embedding::backward(const Pass& pass, const Tensor& dy_NC, const Tensor& ids_N) const {
    pass.run(EmbeddingBackward{ids_N, dy_NC, pass[table_VC_.gradient]});
}

}  // namespace polytrain
