#include "core/append_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/error.hpp"

namespace polytrain {

AppendFile::AppendFile(const std::filesystem::path& path) {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd_ < 0)
        fail(ExitCode::kCannotWrite, "{}: cannot open for writing: {}", path.string(),
             errno_text(errno));
}

AppendFile::~AppendFile() {
    ::close(fd_);
}

bool AppendFile::append(std::string_view record) {
    struct stat before {};
    if (::fstat(fd_, &before) != 0) return false;
    for (size_t done = 0; done < record.size();) {
        const ssize_t put = ::write(fd_, record.data() + done, record.size() - done);
        if (put >= 0) {
            done += static_cast<size_t>(put);
        } else if (errno != EINTR) {
            const int error = errno;
            // Where this fails too (a pipe, a dying disk), readers find a torn record.
            [[maybe_unused]] const int cut = done > 0 ? ::ftruncate(fd_, before.st_size) : 0;
            errno = error;
            return false;
        }
    }
    return true;
}

}  // namespace polytrain
