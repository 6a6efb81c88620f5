#include "checkpoint/save.hpp"
#include "config/load.hpp"
#include "dist/ranks/modes.hpp"
#include "kernels/cpu/backend.hpp"
#include "train/session.hpp"

namespace polytrain::testing {

void resave(World& world, const std::string& config_path, const std::filesystem::path& from,
            const std::filesystem::path& to) {
    const auto backend = make_cpu_backend(1);
    OpTable ops;
    backend->register_ops(ops);
    const RunConfig config = load_config(config_path, {}, ops.activations());
    const Grid grid(world, static_cast<int>(config.parallel.expert));
    std::vector<PassedOver> passed_over;
    const auto checkpoint = newest_checkpoint(from, passed_over, grid.all());
    PT_CHECK(checkpoint.has_value(), "no checkpoint in {}", from.string());
    TrainingSession session(config, *backend, ops, &grid);
    session.initialise(config.seed + 1);  // nothing of it may stay
    session.restore(*checkpoint);
    save_checkpoint(to, checkpoint->state(), session.snapshot(checkpoint->state().step),
                    grid.disks());
}

}  // namespace polytrain::testing
