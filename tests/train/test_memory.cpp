// The plan's bytes against the memory that training takes.

#include <malloc.h>

#include <cstdio>

#include "config/load.hpp"
#include "support/sanitized.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// Anonymous resident memory of this process, in bytes.
double resident_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("RssAnon:")) return 1024 * std::stod(line.substr(8));
    return 0;
}

void check_plan(const char* name, RunConfig config) {
    config.data = {};
    config.data.synthetic = true;
    const Machine machine(2);
    HostBatch batch(config.train.micro_batch * config.model.context);
    Random random("memory");
    for (size_t i = 0; i < batch.ids.size(); ++i)
        batch.ids[i] = batch.targets[i] =
            static_cast<int32_t>(random.integer(0, config.model.vocab_size - 1));
    malloc_trim(0);
    const double before = resident_bytes();
    TrainingSession session(config, *machine.backend, machine.ops);
    session.initialise(1);
    for (int64_t step = 1; step <= 2; ++step) {
        session.begin_step();
        session.accumulate(batch);
        session.measure_step(step);
        session.update(step, 1e-3);
    }
    session.snapshot(2);  // as for a checkpoint
    const double taken = resident_bytes() - before;
    const auto planned = static_cast<double>(session.memory().total_bytes());
    std::printf("memory: %s: planned %.1f MiB, taken %.1f MiB (%.1f%%)\n", name, planned / 1048576,
                taken / 1048576, 100 * (taken / planned - 1));
    CHECK(std::fabs(taken / planned - 1) < 0.05);
}

}  // namespace

TEST_CASE("memory: what training takes is what was planned, within 5 %") {
    if (resident_bytes() == 0 || kSanitized) {
        WARN("skipped: no /proc/self/status, or a sanitizer's own memory is in it");
        return;
    }
    const Machine machine(1);
    const RunConfig quickstart =
        load_config(std::string(POLYTRAIN_SOURCE_DIR) + "/configs/quickstart.json", {},
                    machine.ops.activations());
    check_plan("quickstart", quickstart);

    RunConfig larger = quickstart;
    larger.model.d_model = 256;
    larger.model.heads = larger.model.kv_heads = 8;
    larger.model.vocab_size = 8192;
    larger.model.feed_forward = {"swiglu", 3, true, 704};
    larger.train.batch = larger.train.micro_batch = 4;
    check_plan("d_model 256, swiglu, f32", larger);

    larger.model.d_model = 384;
    larger.model.layers = 6;
    larger.model.context = 512;
    larger.model.heads = larger.model.kv_heads = 6;
    larger.model.feed_forward = {"polynorm", 3, false, 1536};
    larger.precision = "bf16";
    larger.train.batch = larger.train.micro_batch = 2;
    check_plan("d_model 384, polynorm, bf16", larger);
}
