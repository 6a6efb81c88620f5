#pragma once
// What a rank sends to others in a step, before anything runs.

#include <cstdint>
#include <string>
#include <vector>

#include "config/run_config.hpp"
#include "train/session.hpp"

namespace polytrain {

struct Traffic {
    std::string collective;
    int64_t bytes = 0;  // sent by one rank in one step
};

// One row for each kind of collective whose size grows with the model or the tokens. Rows of
// experts are counted as if the router spread tokens evenly; evaluation and saving are left out.
std::vector<Traffic> traffic_of(const RunConfig& config, const TrainingPlan& plan);

}  // namespace polytrain
