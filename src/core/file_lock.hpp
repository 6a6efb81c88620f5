#pragma once

#include <filesystem>
#include <optional>

namespace polytrain {

// A lock file: of all processes on machines that see it, one has it, until it ends. The file stays
// when the lock goes.
class FileLock {
  public:
    FileLock() = default;  // of nothing
    // Takes the lock or throws exit 73: it cannot be created, or another process has it, whose id
    // and machine are then in the message. On a file system without locks that is logged.
    explicit FileLock(const std::filesystem::path& path);
    // A lock on a folder itself, which leaves no file behind; nothing where another process has it.
    static std::optional<FileLock> of_folder(const std::filesystem::path& folder);
    ~FileLock();
    FileLock(FileLock&& other) noexcept;
    FileLock& operator=(FileLock&& other) noexcept;

  private:
    // False where another process has it. Where the file system has no locks, that is logged.
    bool take(const std::filesystem::path& path) const;

    int fd_ = -1;
};

}  // namespace polytrain
