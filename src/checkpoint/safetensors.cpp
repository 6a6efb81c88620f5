#include "checkpoint/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "checkpoint/json_shape.hpp"
#include "core/checked.hpp"
#include "core/error.hpp"
#include "core/strict_json.hpp"

namespace polytrain {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "tensors are written as they lie");

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 16 << 20;
constexpr int kHeaderDepth = 3;  // header, tensor, shape
constexpr const char* kMetadataKey = "__metadata__";
constexpr const char* kHalf = "F16";

constexpr std::pair<DType, const char*> kDTypeNames[] = {
    {DType::kF64, "F64"}, {DType::kF32, "F32"}, {DType::kBf16, "BF16"}, {DType::kI64, "I64"},
    {DType::kI32, "I32"}, {DType::kI16, "I16"}, {DType::kU8, "U8"}};

const char* safetensors_name(DType dtype) {
    for (const auto& [type, name] : kDTypeNames)
        if (type == dtype) return name;
    PT_CHECK(false, "dtype {} has no safetensors name", name_of(dtype));
}

std::optional<DType> dtype_named(const json& name) {
    for (const auto& [type, text] : kDTypeNames)
        if (name == text) return type;
    return std::nullopt;
}

uint64_t byte_size(const SafetensorsEntry& entry) {
    return static_cast<uint64_t>(entry.shape.elements()) * size_of(entry.dtype);
}

// One tensor of the header; `data` is where the tensors begin in a file of `size` bytes.
SafetensorsEntry parse_entry(const std::string& where, const std::string& name, const json& record,
                             uint64_t data, uint64_t size) {
    const auto require = [&](bool valid, std::string_view what) {
        if (!valid) fail(ExitCode::kCorrupt, "{}: tensor \"{}\": {}", where, name, what);
    };
    require(record.is_object() && record.size() == 3 && record.contains("dtype") &&
                record.contains("shape") && record.contains("data_offsets"),
            "its record is not {dtype, shape, data_offsets}");
    const bool is_half = record["dtype"] == kHalf;
    const std::optional<DType> dtype = is_half ? DType::kI16 : dtype_named(record["dtype"]);
    require(dtype.has_value(), "unknown dtype " + record["dtype"].dump());
    const std::optional<Shape> shape = shape_from_json(record["shape"], *dtype);
    require(shape.has_value(), "no possible shape: " + record["shape"].dump());
    const json& offsets = record["data_offsets"];
    require(offsets.is_array() && offsets.size() == 2 && offsets[0].is_number_unsigned() &&
                offsets[1].is_number_unsigned(),
            "data_offsets are not two positions");
    const auto begin = offsets[0].get<uint64_t>(), end = offsets[1].get<uint64_t>();
    require(begin <= end && end <= size - data, "data_offsets are not inside the file");
    SafetensorsEntry entry{name, *dtype, *shape, data + begin, data + end, is_half};
    require(byte_size(entry) == end - begin, "data_offsets do not fit dtype and shape");
    return entry;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::filesystem::path path,
                                     std::vector<SafetensorsEntry> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : out_(std::move(path)), tensors_(std::move(tensors)) {
    json header = json::object();
    if (!metadata.empty()) header[kMetadataKey] = metadata;
    uint64_t position = 0;
    for (SafetensorsEntry& entry : tensors_) {
        PT_CHECK(!header.contains(entry.name) && entry.name != kMetadataKey,
                 "tensor name \"{}\" is taken", entry.name);
        entry.begin = position;
        position = entry.end = position + byte_size(entry);
        header[entry.name] = {{"dtype", entry.is_half ? kHalf : safetensors_name(entry.dtype)},
                              {"shape", shape_to_json(entry.shape)},
                              {"data_offsets", {entry.begin, entry.end}}};
    }
    std::string text = header.dump();
    // Spaces bring the tensors to a multiple of 8.
    text.resize(static_cast<size_t>(round_up(static_cast<int64_t>(text.size()), 8)), ' ');
    PT_CHECK(text.size() <= kMaxHeaderBytes, "a header of {} bytes", text.size());
    const uint64_t length = text.size();
    header_.assign(reinterpret_cast<const char*>(&length), kLengthBytes);
    header_ += text;
    for (SafetensorsEntry& entry : tensors_) {
        entry.begin += header_.size();
        entry.end += header_.size();
    }
    end_ = header_.size() + position;
    out_.reserve(end_);
    out_.write(header_);
    written_ = header_.size();
}

void SafetensorsWriter::write(const void* data, size_t bytes) {
    PT_CHECK(bytes <= end_ - written_, "{} bytes where {} are missing", bytes, end_ - written_);
    out_.write(data, bytes);
    written_ += bytes;
}

void SafetensorsWriter::commit() {
    PT_CHECK(written_ == end_, "{} of {} bytes are written", written_, end_);
    out_.commit();
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path) {
    parse_header(path);
}

void SafetensorsFile::parse_header(const std::filesystem::path& path) {
    const std::string where = path.string();
    const std::span<const std::byte> bytes = file_.bytes();
    uint64_t length = 0;
    if (bytes.size() < kLengthBytes)
        fail(ExitCode::kCorrupt, "{}: {} bytes cannot hold a header", where, bytes.size());
    std::memcpy(&length, bytes.data(), kLengthBytes);
    if (length > kMaxHeaderBytes || length > bytes.size() - kLengthBytes)
        fail(ExitCode::kCorrupt,
             "{}: the header's length at byte 0 is {} in a file of {}; at most "
             "{} is allowed",
             where, length, bytes.size(), kMaxHeaderBytes);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
    if (!text.starts_with('{'))
        fail(ExitCode::kCorrupt, "{}: the header at byte {} does not start with {{", where,
             kLengthBytes);

    const json header = parse_strict_json(text, where, kHeaderDepth);
    const uint64_t data = kLengthBytes + length;
    for (const auto& [name, record] : header.items()) {
        if (name != kMetadataKey) {
            tensors_.emplace(name, parse_entry(where, name, record, data, bytes.size()));
            continue;
        }
        if (!record.is_object())
            fail(ExitCode::kCorrupt, "{}: {} is not an object", where, kMetadataKey);
        for (const auto& [key, value] : record.items()) {
            if (!value.is_string())
                fail(ExitCode::kCorrupt, "{}: {}: \"{}\" is not a string", where, kMetadataKey,
                     key);
            metadata_.emplace(key, value.get<std::string>());
        }
    }

    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    for (const auto& [name, entry] : tensors_) ranges.emplace_back(entry.begin, entry.end);
    std::sort(ranges.begin(), ranges.end());
    uint64_t position = data;
    for (const auto& [begin, end] : ranges) {
        if (begin != position)
            fail(ExitCode::kCorrupt, "{}: {} before byte {}, where a tensor should begin at {}",
                 where, begin < position ? "tensors overlap" : "there is a hole", begin, position);
        position = end;
    }
    if (position != bytes.size())
        fail(ExitCode::kCorrupt, "{}: the tensors end at byte {} of {}", where, position,
             bytes.size());
}

std::span<const std::byte> SafetensorsFile::bytes(const SafetensorsEntry& entry) const {
    return file_.bytes().subspan(entry.begin, entry.end - entry.begin);
}

}  // namespace polytrain
