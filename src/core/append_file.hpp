#pragma once

#include <filesystem>
#include <string_view>

namespace polytrain {

// A file that whole records are added to while others may read it.
class AppendFile {
  public:
    // Made where there is none. Cannot open: exit 73.
    explicit AppendFile(const std::filesystem::path& path);
    ~AppendFile();
    AppendFile(const AppendFile&) = delete;
    AppendFile& operator=(const AppendFile&) = delete;

    // Adds all of `record` in one write. False where it can't be written, with errno set: then
    // nothing of it is left behind, and the next record may fare better.
    bool append(std::string_view record);

  private:
    int fd_ = -1;
};

}  // namespace polytrain
