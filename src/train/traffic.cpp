#include "train/traffic.hpp"

namespace polytrain {
namespace {

int64_t squares_bytes(const TrainingPlan& plan) {
    int64_t chunks = 0;
    for (const Parameter* parameter : plan.model->parameters())
        if (parameter->learned) chunks += chunk_count(*parameter);
    return chunks * static_cast<int64_t>(sizeof(double));
}

}  // namespace

std::vector<Traffic> traffic_of(const RunConfig& config, const TrainingPlan& plan) {
    std::vector<Traffic> rows;
    const Layout& layout = plan.layout;
    if (layout.ranks == 1) return rows;
    const MoeConfig& moe = config.model.moe;
    if (const int64_t places = layout.expert; places > 1) {
        // To experts and back, forward and backward; once more where blocks are recomputed, and
        // where the routes of a step are counted first.
        const bool counts_first = moe.scope == "global" && plan.rounds > 1;
        const int64_t passes =
            1 + (config.train.recompute == "block" ? 1 : 0) + (counts_first ? 1 : 0);
        const int64_t times = config.model.layers * plan.rounds;
        const int64_t rows_out =
            config.train.micro_batch * config.model.context * moe.top_k * (places - 1) / places;
        const auto row_bytes =
            config.model.d_model * static_cast<int64_t>(size_of(storage_type(config)));
        const auto counts = moe.experts * static_cast<int64_t>(sizeof(int64_t));
        rows.push_back(
            {"expert rows, all to all", times * (passes + 1) * 2 * rows_out * row_bytes});
        rows.push_back({"expert counts, all gather", times * passes * counts * (places - 1)});
    }
    const GradientReducer::Traffic gradients = plan.reducer->traffic();
    rows.push_back({"gradients, all to all", gradients.reduce});
    rows.push_back(
        {config.parallel.sharding == 0 ? "sums of gradients, all gather" : "new values, all gather",
         gradients.share});
    rows.push_back({"squares of the norm, all reduce", squares_bytes(plan)});
    return rows;
}

}  // namespace polytrain
