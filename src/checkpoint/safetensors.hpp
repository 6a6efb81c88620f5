#pragma once
// safetensors files: 8 bytes of header length, a JSON header, then the tensors' bytes, one after
// the other without holes. https://github.com/huggingface/safetensors

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/file.hpp"
#include "tensor/dtype.hpp"
#include "tensor/shape.hpp"

namespace polytrain {

// One tensor of a file. Its bytes are [begin, end), counted from the start of the file.
struct SafetensorsEntry {
    std::string name;
    DType dtype = DType::kF32;
    Shape shape;
    uint64_t begin = 0, end = 0;
    // F16, which no tensor of ours has: the elements are the bits of these (core/half.hpp), and
    // `dtype` is kI16.
    bool is_half = false;
};

// Writes a new file front to back. All names, types and shapes are known up front, so that nothing
// but the header is held in memory.
class SafetensorsWriter {
  public:
    // Creates the file and writes its header; begin and end of `tensors` are computed here. Names
    // must be distinct UTF-8.
    SafetensorsWriter(std::filesystem::path path, std::vector<SafetensorsEntry> tensors,
                      const std::map<std::string, std::string>& metadata = {});

    // Everything before the first tensor.
    const std::string& header() const { return header_; }
    // In the order given, with begin and end.
    const std::vector<SafetensorsEntry>& tensors() const { return tensors_; }

    // The next bytes of the tensors in that order: a tensor's at once or in pieces.
    void write(const void* data, size_t bytes);
    // After the last tensor: the file is on the disk when this returns.
    void commit();

  private:
    OutputFile out_;
    std::vector<SafetensorsEntry> tensors_;
    std::string header_;
    uint64_t written_ = 0, end_ = 0;  // positions in the file
};

// A file mapped into memory. The header is checked in full before anything is believed: its length,
// that it is JSON without duplicate keys, and that the tensors' shapes and offsets fill the file
// exactly. Damage throws exit 65 with the path and the tensor; a missing file exit 66.
class SafetensorsFile {
  public:
    explicit SafetensorsFile(const std::filesystem::path& path);

    const std::map<std::string, SafetensorsEntry>& tensors() const { return tensors_; }
    const std::map<std::string, std::string>& metadata() const { return metadata_; }
    std::span<const std::byte> bytes(const SafetensorsEntry& entry) const;

  private:
    void parse_header(const std::filesystem::path& path);

    MappedFile file_;
    std::map<std::string, SafetensorsEntry> tensors_;
    std::map<std::string, std::string> metadata_;
};

}  // namespace polytrain
