#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace polytrain::testing {

// While it lives, no file of this process grows past `bytes`: EFBIG where SIGXFSZ is ignored, death
// where it isn't.
class FileSizeLimit {
  public:
    explicit FileSizeLimit(uint64_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

  private:
    rlimit before_{};
};

}  // namespace polytrain::testing
