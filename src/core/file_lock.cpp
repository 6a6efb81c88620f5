#include "core/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/log.hpp"

namespace polytrain {
namespace {

// "process 123 on node7", for the message of whoever comes second.
std::string own_name() {
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
    return fmt::format("process {} on {}", ::getpid(), host.data());
}

std::string name_in(int fd) {
    std::array<char, 300> text{};
    const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
    return got > 0 ? std::string(text.data(), static_cast<size_t>(got)) : "another process";
}

}  // namespace

bool FileLock::take(const std::filesystem::path& path) const {
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    log::warn("{}: cannot be locked here: {}; see to it that no other process writes there",
              path.string(), errno_text(errno));
    return true;
}

FileLock::FileLock(const std::filesystem::path& path) {
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0)
        fail(ExitCode::kCannotWrite, "{}: cannot create: {}", path.string(), errno_text(errno));
    if (!take(path)) {
        const std::string owner = name_in(fd_);
        ::close(fd_);
        fail(ExitCode::kCannotWrite,
             "{}: {} is writing in this folder; wait for it or take another one", path.string(),
             owner);
    }
    // Who has it is only told: that it can't be written harms nothing.
    const std::string owner = own_name();
    if (::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, owner.data(), owner.size(), 0) < 0)
        log::warn("{}: cannot write: {}", path.string(), errno_text(errno));
}

std::optional<FileLock> FileLock::of_folder(const std::filesystem::path& folder) {
    FileLock lock;
    lock.fd_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock.fd_ < 0)
        fail(ExitCode::kCannotWrite, "{}: cannot open: {}", folder.string(), errno_text(errno));
    if (!lock.take(folder)) return std::nullopt;
    return lock;
}

FileLock::~FileLock() {
    if (fd_ >= 0) ::close(fd_);
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

}  // namespace polytrain
