#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/runtime.hpp"
#include "app/trained_model.hpp"
#include "comm/world.hpp"
#include "eval/task_set.hpp"

namespace polytrain {

// What `polytrain eval` is told.
struct EvalArguments {
    std::string run;
    std::vector<std::string> data, tasks, examples;
    std::string format = "auto", dtype = "auto", field = "text";
    std::string dialect = "auto";
    int64_t shots = 0, limit = 0, batch_tokens = 0;
    std::string out, details;
    int threads = 0;
    bool json = false;
};

struct EvalJobResults {
    // By the name of the set, or its path, in the order that they were given: "data", "tokens",
    // "scored", "loss", "perplexity", "bytes", "bits_per_byte" and where that is null
    // "why_no_bytes".
    nlohmann::ordered_json losses;
    std::vector<TaskResult> tasks;
};

// All of it, shared out among the world's ranks; every one gets the results. A name given twice, or
// examples of a task that isn't asked: exit 2; else errors as evaluate() and TaskSet.
EvalJobResults run_eval_job(const EvalArguments& arguments, const TrainedModel& trained,
                            const RunConfig& config, Runtime& runtime, World& world);

}  // namespace polytrain
