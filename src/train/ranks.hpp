#pragma once
// What the ranks of a run settle among themselves before and between steps.

#include <filesystem>
#include <string>

#include "comm/grid.hpp"
#include "config/run_config.hpp"
#include "ops/activation.hpp"

namespace polytrain {

// The ranks must be one program with one config: else exit 78 on all of them, with the first
// difference to rank 0 that there is.
void check_same_program(Communicator& all, const RunConfig& config,
                        const ActivationCatalog& catalog);
// The same of the training data, by their fingerprint.
void check_same_data(Communicator& all, const std::string& fingerprint);

// Rank 0 has made the folder. All ranks must see what it writes there: else exit 73, naming those
// that don't.
void check_shared_folder(const Grid& grid, const std::filesystem::path& folder);

// The highest of the ranks' numbers.
int64_t highest(const Grid& grid, int64_t number, const char* label);
// Their sums, in place.
void add_up(const Grid& grid, std::vector<int64_t>& numbers, const char* label);

}  // namespace polytrain
