#pragma once

#include <memory>

#include "config/run_config.hpp"
#include "ops/op_table.hpp"

namespace polytrain {

// The device that a config asks for, with its ops, those of ops.force picked.
struct Runtime {
    std::unique_ptr<Backend> backend;
    OpTable ops;
};
// `local_rank` of `local_ranks` is this rank's number on its machine. No such device: exit 78.
std::unique_ptr<Runtime> make_runtime(const RunConfig& config, int local_rank = 0,
                                      int local_ranks = 1);

// What "auto" is there: bf16 on CUDA, f32 on a CPU. A CPU without bf16 instructions refuses to
// train in bf16: exit 78.
std::string training_precision(const RunConfig& config, const Backend& backend);

// `threads`, or where that is 0 OMP_NUM_THREADS, or the processors this process may use: its share
// of them beside other ranks on this machine, unless the launcher bound it. An OMP_NUM_THREADS that
// is no number: exit 2.
int thread_count(int64_t threads, int local_ranks = 1);

// The activations there are; known without a device.
const ActivationCatalog& activation_catalog();

}  // namespace polytrain
