#pragma once

#include <filesystem>

namespace polytrain {

// A folder that takes its name when all in it is written: "NAME.tmp-*" beside it until commit(),
// removed with what it holds where there is none.
class TemporaryFolder {
  public:
    // The folder that will hold `target` is there. It can't be written to: exit 73.
    explicit TemporaryFolder(const std::filesystem::path& target);
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }
    // Its files must be on the disk.
    void commit() const;

  private:
    std::filesystem::path path_, target_;
};

// The place of a folder that a user asks for, absolute; the folders above it are made. It is there
// already, or they can't be made: exit 73; an empty name: exit 2.
std::filesystem::path place_for_folder(const std::filesystem::path& name);

}  // namespace polytrain
