#include "core/file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "core/error.hpp"

namespace polytrain {
namespace {

// A full disk may show at write, fsync or close; all else that goes wrong there is the device's.
ExitCode write_failure(int error) {
    const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    return full ? ExitCode::kCannotWrite : ExitCode::kIo;
}

void sync_descriptor(int fd, const std::filesystem::path& path) {
    if (::fsync(fd) != 0)
        fail(write_failure(errno), "{}: fsync failed: {}; the file cannot be trusted",
             path.string(), errno_text(errno));
}

}  // namespace

InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0)
        fail(errno == ENOENT || errno == ENOTDIR ? ExitCode::kInputMissing : ExitCode::kIo,
             "{}: cannot open: {}", path_.string(), errno_text(errno));
    struct stat info {};
    if (::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) {
        ::close(fd_);
        fail(ExitCode::kInputMissing, "{}: is not a regular file", path_.string());
    }
    size_ = static_cast<uint64_t>(info.st_size);
}

InputFile::~InputFile() {
    ::close(fd_);
}

size_t InputFile::read(std::span<char> out) {
    for (;;) {
        const ssize_t got = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset_));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            fail(ExitCode::kIo, "{}: read failed at byte {}: {}", path_.string(), offset_,
                 errno_text(errno));
        offset_ += static_cast<uint64_t>(got);
        return static_cast<size_t>(got);
    }
}

std::string read_file(const std::filesystem::path& path, uint64_t limit) {
    InputFile file(path);
    if (file.size() > limit)
        fail(ExitCode::kCorrupt, "{}: {} bytes, more than the {} this file may have", path.string(),
             file.size(), limit);
    std::string text(file.size(), '\0');
    while (file.offset() < text.size())
        if (file.read(std::span(text).subspan(file.offset())) == 0)
            fail(ExitCode::kCorrupt, "{}: ended at byte {} of {} while being read", path.string(),
                 file.offset(), text.size());
    return text;
}

MappedFile::MappedFile(const std::filesystem::path& path) {
    const InputFile file(path);
    if (file.size() == 0) return;
    void* data = ::mmap(nullptr, file.size(), PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
    if (data == MAP_FAILED)
        fail(ExitCode::kIo, "{}: mmap of {} bytes failed: {}", path.string(), file.size(),
             errno_text(errno));
    data_ = static_cast<const std::byte*>(data);
    size_ = file.size();
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

OutputFile::OutputFile(std::filesystem::path path) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd_ < 0)
        fail(ExitCode::kCannotWrite, "{}: cannot create: {}", path_.string(), errno_text(errno));
}

OutputFile::OutputFile(std::filesystem::path path, uint64_t size) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd_ < 0)
        fail(ExitCode::kCannotWrite, "{}: cannot open: {}", path_.string(), errno_text(errno));
    struct stat info {};
    const bool enough = ::fstat(fd_, &info) == 0 && static_cast<uint64_t>(info.st_size) >= size;
    if (enough && ::ftruncate(fd_, static_cast<off_t>(size)) == 0) return;
    const std::string reason = enough ? errno_text(errno) : "it is shorter";
    ::close(fd_);
    fail(ExitCode::kCannotWrite, "{}: cannot cut to {} bytes: {}", path_.string(), size, reason);
}

OutputFile::~OutputFile() {
    if (fd_ >= 0) ::close(fd_);
}

void OutputFile::reserve(uint64_t bytes) {
    PT_CHECK(fd_ >= 0, "{} is closed", path_.string());
    if (bytes == 0) return;
    int result = 0;
    do {
        result = ::fallocate(fd_, 0, 0, static_cast<off_t>(bytes));
    } while (result != 0 && errno == EINTR);
    if (result != 0 && write_failure(errno) == ExitCode::kCannotWrite)
        fail(ExitCode::kCannotWrite, "{}: no room for {} bytes: {}", path_.string(), bytes,
             errno_text(errno));
}

void OutputFile::write(const void* data, size_t bytes) {
    PT_CHECK(fd_ >= 0, "{} is closed", path_.string());
    const char* next = static_cast<const char*>(data);
    while (bytes > 0) {
        const ssize_t put = ::write(fd_, next, bytes);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0)
            fail(write_failure(errno), "{}: write failed: {}", path_.string(), errno_text(errno));
        next += put;
        bytes -= static_cast<size_t>(put);
    }
}

void OutputFile::sync() {
    PT_CHECK(fd_ >= 0, "{} is closed", path_.string());
    sync_descriptor(fd_, path_);
}

void OutputFile::commit() {
    sync();
    if (::close(std::exchange(fd_, -1)) != 0)
        fail(write_failure(errno), "{}: close failed: {}", path_.string(), errno_text(errno));
}

void write_file_atomic(const std::filesystem::path& path, std::string_view text) {
    std::filesystem::path temporary = path;
    temporary += fmt::format(".tmp-{}", ::getpid());
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    try {
        OutputFile file(temporary);
        file.write(text);
        file.commit();
        rename_durable(temporary, path);
    } catch (...) {
        std::filesystem::remove(temporary, ignored);
        throw;
    }
}

void rename_durable(const std::filesystem::path& from, const std::filesystem::path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0)
        fail(ExitCode::kCannotWrite, "{}: cannot rename to {}: {}", from.string(), to.string(),
             errno_text(errno));
    sync_folder(to.has_parent_path() ? to.parent_path() : ".");
}

void sync_folder(const std::filesystem::path& folder) {
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) fail(ExitCode::kIo, "{}: cannot open: {}", folder.string(), errno_text(errno));
    const int result = ::fsync(fd);
    const int error = errno;
    ::close(fd);
    if (result != 0)
        fail(write_failure(error), "{}: fsync failed: {}", folder.string(), errno_text(error));
}

void make_folders(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error || !std::filesystem::is_directory(folder, error))
        fail(ExitCode::kCannotWrite, "{}: cannot create this folder: {}", folder.string(),
             error ? error.message() : "a file is in its place");
}

}  // namespace polytrain
