#pragma once

#include <filesystem>

namespace polytrain {

// A lock file: of all processes on machines that see it, one has it, until it ends. The file stays
// when the lock goes.
class FileLock {
  public:
    FileLock() = default;  // of nothing
    // Takes the lock or throws exit 73: it cannot be created, or another process has it, whose id
    // and machine are then in the message. On a file system without locks that is logged.
    explicit FileLock(const std::filesystem::path& path);
    ~FileLock();
    FileLock(FileLock&& other) noexcept;
    FileLock& operator=(FileLock&& other) noexcept;

  private:
    int fd_ = -1;
};

}  // namespace polytrain
