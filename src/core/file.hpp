#pragma once
// Files: whole reads with a limit, memory maps, and writes that are on the disk when they return.
// Errors carry the path, the failed call and what the system said of it.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace polytrain {

// The whole file as bytes. Missing: exit 66; larger than `limit`: exit 65; unreadable: exit 74.
std::string read_file(const std::filesystem::path& path, uint64_t limit = uint64_t{1} << 32);

// A file open for reading front to back. Missing or no regular file: exit 66; unreadable: exit 74.
class InputFile {
  public:
    explicit InputFile(std::filesystem::path path);
    ~InputFile();
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    // Its size when it was opened, and how far it was read.
    uint64_t size() const { return size_; }
    uint64_t offset() const { return offset_; }
    // The next bytes, at most out.size(); 0 only at the end.
    size_t read(std::span<char> out);
    void seek(uint64_t offset) { offset_ = offset; }
    int descriptor() const { return fd_; }

  private:
    std::filesystem::path path_;
    int fd_ = -1;
    uint64_t size_ = 0, offset_ = 0;
};

// A read-only memory map of a whole file (an empty file has an empty span).
class MappedFile {
  public:
    MappedFile() = default;
    explicit MappedFile(const std::filesystem::path& path);  // errors as read_file
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;

    std::span<const std::byte> bytes() const { return {data_, size_}; }

  private:
    const std::byte* data_ = nullptr;
    size_t size_ = 0;
};

// A file written front to back. commit() syncs it to the disk and closes it; without commit() the
// destructor just closes it. Failures throw (73: cannot create, no space; 74: I/O).
class OutputFile {
  public:
    // A new file; it must not exist yet (O_EXCL).
    explicit OutputFile(std::filesystem::path path);
    // Goes on after the first `size` bytes of a file that has at least these; the rest is cut off.
    OutputFile(std::filesystem::path path, uint64_t size);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    // Asks the file system for room for `bytes` in all, so that a full disk shows before they are
    // written; nothing happens where it can't promise that.
    void reserve(uint64_t bytes);
    void write(const void* data, size_t bytes);
    void write(std::string_view text) { write(text.data(), text.size()); }
    // All that was written so far is on the disk.
    void sync();
    void commit();

  private:
    std::filesystem::path path_;
    int fd_ = -1;
};

// Replaces `path` by `text` in one step: temporary file, sync, rename, sync of the folder.
void write_file_atomic(const std::filesystem::path& path, std::string_view text);

// rename(2) and a sync of the folder that holds `to`: the commit point of a checkpoint.
void rename_durable(const std::filesystem::path& from, const std::filesystem::path& to);

// fsync of a folder, so that names created in it survive a power loss.
void sync_folder(const std::filesystem::path& folder);

// mkdir -p; exit 73 with the reason when it can't.
void make_folders(const std::filesystem::path& folder);

}  // namespace polytrain
