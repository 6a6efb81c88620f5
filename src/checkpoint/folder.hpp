#pragma once
// What lies in RUN/checkpoints, by name: "step-N" is a committed checkpoint, "step-N.tmp-*" a save
// under way or killed, "step-N.trash-*" a removal under way or killed; all else is the user's.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polytrain {

// RUN/checkpoints/step-N.
std::filesystem::path checkpoint_folder(const std::filesystem::path& run_folder, int64_t step);

// N of "step-N"; nothing for any other name.
std::optional<int64_t> step_of(std::string_view name);

// The names in RUN/checkpoints, sorted; none where there is no such folder.
std::vector<std::string> names_in_checkpoints(const std::filesystem::path& run_folder);

// The steps of the committed checkpoints there, ascending.
std::vector<int64_t> committed_steps(const std::filesystem::path& run_folder);

// "step-20.tmp-" and random digits: a name of its own for every use.
std::filesystem::path temporary_name(const std::filesystem::path& checkpoint);

// Whether a killed save or removal left this name.
bool is_leftover(std::string_view name);
// Removes these; nobody may be writing there. Returns their names.
std::vector<std::string> remove_leftovers(const std::filesystem::path& run_folder);

// Which checkpoints a run keeps.
struct Retention {
    int64_t keep_last = 0;   // the newest so many; 0: all
    int64_t keep_every = 0;  // and those of steps that are multiples of it; 0: none
};
// Removes the others: each steps out of its name before any of its bytes go, so that what is there
// under "step-N" is whole. What can't be removed is logged.
void remove_old_checkpoints(const std::filesystem::path& run_folder, const Retention& retention);

}  // namespace polytrain
