#include "checkpoint/folder.hpp"

#include <algorithm>
#include <charconv>
#include <random>
#include <system_error>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStepPrefix = "step-";
constexpr std::string_view kTemporary = ".tmp-", kTrash = ".trash-";

fs::path with_random_end(const fs::path& path, std::string_view kind) {
    std::random_device random;
    fs::path result = path;
    result += fmt::format("{}{:08x}{:08x}", kind, random(), random());
    return result;
}

// The newest first.
std::vector<int64_t> steps_not_kept(const fs::path& run_folder, const Retention& retention) {
    if (retention.keep_last == 0) return {};
    std::vector<int64_t> steps = committed_steps(run_folder);
    std::reverse(steps.begin(), steps.end());
    const auto last = std::min(std::ssize(steps), retention.keep_last);
    steps.erase(steps.begin(), steps.begin() + last);
    std::erase_if(steps, [&](int64_t step) {
        return retention.keep_every > 0 && step % retention.keep_every == 0;
    });
    return steps;
}

}  // namespace

fs::path checkpoint_folder(const fs::path& run_folder, int64_t step) {
    return run_folder / "checkpoints" / fmt::format("{}{}", kStepPrefix, step);
}

std::optional<int64_t> step_of(std::string_view name) {
    if (!name.starts_with(kStepPrefix)) return std::nullopt;
    int64_t step = -1;
    std::from_chars(name.data() + kStepPrefix.size(), name.data() + name.size(), step);
    const bool exact = step >= 0 && name == fmt::format("{}{}", kStepPrefix, step);
    return exact ? std::optional(step) : std::nullopt;
}

std::vector<std::string> names_in_checkpoints(const fs::path& run_folder) {
    const fs::path folder = run_folder / "checkpoints";
    std::vector<std::string> names;
    std::error_code error;
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error))
        names.push_back(entry->path().filename().string());
    if (error && error != std::errc::no_such_file_or_directory)
        fail(ExitCode::kIo, "{}: cannot list this folder: {}", folder.string(), error.message());
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<int64_t> committed_steps(const fs::path& run_folder) {
    std::vector<int64_t> steps;
    for (const std::string& name : names_in_checkpoints(run_folder))
        if (const auto step = step_of(name)) steps.push_back(*step);
    std::sort(steps.begin(), steps.end());
    return steps;
}

fs::path temporary_name(const fs::path& checkpoint) {
    return with_random_end(checkpoint, kTemporary);
}

bool is_leftover(std::string_view name) {
    const size_t dot = name.find('.');
    return dot != std::string_view::npos && step_of(name.substr(0, dot)) &&
           (name.substr(dot).starts_with(kTemporary) || name.substr(dot).starts_with(kTrash));
}

std::vector<std::string> remove_leftovers(const fs::path& run_folder) {
    std::vector<std::string> removed;
    for (const std::string& name : names_in_checkpoints(run_folder)) {
        if (!is_leftover(name)) continue;
        const fs::path path = run_folder / "checkpoints" / name;
        std::error_code error;
        fs::remove_all(path, error);
        if (error)
            log::warn("{}: cannot remove what a killed save left: {}", path.string(),
                      error.message());
        else
            removed.push_back(name);
    }
    return removed;
}

void remove_old_checkpoints(const fs::path& run_folder, const Retention& retention) {
    const auto logged = [](const auto& call) {
        try {
            call();
        } catch (const std::exception& error) {
            log::warn("an old checkpoint could not be removed: {}", error.what());
        }
    };
    std::vector<int64_t> steps;
    logged([&] { steps = steps_not_kept(run_folder, retention); });
    for (const int64_t step : steps)
        logged([&] {
            const fs::path checkpoint = checkpoint_folder(run_folder, step);
            const fs::path trash = with_random_end(checkpoint, kTrash);
            rename_durable(checkpoint, trash);
            fs::remove_all(trash);
        });
}

}  // namespace polytrain
