#include "checkpoint/temporary_folder.hpp"

#include <system_error>

#include "checkpoint/folder.hpp"
#include "core/error.hpp"
#include "core/file.hpp"

namespace polytrain {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder(const fs::path& target)
    : path_(temporary_name(target)), target_(target) {
    std::error_code error;
    if (!fs::create_directory(path_, error))
        fail(ExitCode::kCannotWrite, "{}: cannot create this folder: {}", path_.string(),
             error ? error.message() : "it exists");
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

void TemporaryFolder::commit() const {
    sync_folder(path_);
    rename_durable(path_, target_);
}

fs::path place_for_folder(const fs::path& name) {
    if (name.empty()) fail(ExitCode::kUsage, "the folder to make has an empty name; name one");
    // "a/b/" and "a/b" are one place.
    const fs::path place = fs::absolute(name / "").lexically_normal().parent_path();
    if (fs::exists(fs::symlink_status(place)))
        fail(ExitCode::kCannotWrite,
             "{}: this exists already, and nothing is written over; name another folder",
             place.string());
    make_folders(place.parent_path());
    return place;
}

}  // namespace polytrain
