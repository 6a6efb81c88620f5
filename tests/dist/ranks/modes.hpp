#pragma once

#include <filesystem>
#include <string>

#include "comm/world.hpp"

namespace polytrain::testing {

// Trains `steps` - 1 steps, then writes the gradients of the next as a checkpoint of step 1 in
// `folder`, each rank what it owns, and summary.json: loss, norm and the routers' figures. Fails
// where the ranks don't have the same bits of these. On the device of device.hpp. `mask` says which
// targets are not scored: "none", "uneven" (some of each sequence, and all of every fourth
// micro-batch) or "all".
void write_gradients(World& world, const std::string& config, const std::filesystem::path& folder,
                     const std::string& mask, int steps);

// GradientReducer on whole numbers, whose sums are exact in any order: every sharding, with and
// without exact reduction. Fails at the first wrong element.
void check_sums(World& world);

// A mixture of experts on whole numbers; rank 0 writes all tokens' y and dx, and the experts'
// gradients, as a checkpoint of step 1.
void run_layer(World& world, const std::filesystem::path& folder, int expert);

// A token that only rank 1 has gets a NaN for an embedding: ends with the step's exit code.
void make_bad_step(World& world, const std::string& config);

// Reads the newest checkpoint of the run `from` and saves what it read in the run folder `to`.
void resave(World& world, const std::string& config, const std::filesystem::path& from,
            const std::filesystem::path& to);

}  // namespace polytrain::testing
