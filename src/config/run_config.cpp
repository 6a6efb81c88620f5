#include "config/run_config.hpp"

#include <algorithm>

#include "core/checked.hpp"

namespace polytrain {

int64_t last_step(const RunConfig& config) {
    const TrainConfig& train = config.train;
    if (train.tokens == 0) return train.steps;
    const int64_t steps = ceil_div(train.tokens, train.batch * config.model.context);
    return train.steps > 0 ? std::min(train.steps, steps) : steps;
}

}  // namespace polytrain
