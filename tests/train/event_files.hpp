#pragma once
// TensorBoard's event files as their reader sees them, written apart from the writer: TFRecords
// with bit by bit CRCs, and the fields of protocol buffers by hand.

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/damage.hpp"

namespace polytrain::testing {

// Most significant bit first over bit-reversed bytes, as the polynomial is written in books.
inline uint32_t masked_crc_bitwise(std::string_view bytes) {
    constexpr uint32_t kPolynomial = 0x1edc6f41;
    uint32_t crc = 0xffffffff;
    for (const char c : bytes)
        for (int bit = 0; bit < 8; ++bit) {
            const bool top = (crc >> 31) != 0,
                       in = ((static_cast<unsigned char>(c) >> bit) & 1) != 0;
            crc = (crc << 1) ^ (top != in ? kPolynomial : 0);
        }
    uint32_t reversed = 0;
    for (int bit = 0; bit < 32; ++bit) reversed |= ((crc >> bit) & 1) << (31 - bit);
    reversed = ~reversed;
    return ((reversed >> 15) | (reversed << 17)) + 0xa282ead8;
}

template <class T>
T little_endian_at(std::string_view bytes, size_t at) {
    if (bytes.size() < at + sizeof(T)) throw std::runtime_error("cut short");
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    return value;
}

// The records of a file up to the first that is cut short; a wrong CRC throws.
inline std::vector<std::string> records_of(const std::filesystem::path& path) {
    const std::string file = slurp(path);
    std::vector<std::string> records;
    for (size_t at = 0; file.size() - at >= 12;) {
        const std::string_view head = std::string_view(file).substr(at, 8);
        if (little_endian_at<uint32_t>(file, at + 8) != masked_crc_bitwise(head))
            throw std::runtime_error("a wrong CRC of a length");
        const auto size = static_cast<size_t>(little_endian_at<uint64_t>(file, at));
        if (file.size() - at < 16 + size) break;
        records.push_back(file.substr(at + 12, size));
        if (little_endian_at<uint32_t>(file, at + 12 + size) != masked_crc_bitwise(records.back()))
            throw std::runtime_error("a wrong CRC of a record");
        at += 16 + size;
    }
    return records;
}

struct Field {
    int number = 0, wire_type = 0;
    uint64_t integer = 0;
    std::string bytes;  // of types 1, 2 and 5
};

inline std::vector<Field> fields_of(const std::string& message) {
    std::vector<Field> fields;
    size_t at = 0;
    const auto varint = [&] {
        uint64_t value = 0;
        for (int shift = 0;; shift += 7) {
            const auto byte = static_cast<unsigned char>(message.at(at++));
            value |= uint64_t{byte & 0x7fu} << shift;
            if ((byte & 0x80) == 0) return value;
        }
    };
    while (at < message.size()) {
        Field field;
        const uint64_t key = varint();
        field.number = static_cast<int>(key >> 3);
        field.wire_type = static_cast<int>(key & 7);
        if (field.wire_type == 0) {
            field.integer = varint();
        } else {
            const size_t size = field.wire_type == 1   ? 8
                                : field.wire_type == 5 ? 4
                                : field.wire_type == 2
                                    ? static_cast<size_t>(varint())
                                    : throw std::runtime_error("an unknown wire type");
            if (message.size() - at < size) throw std::runtime_error("a field cut short");
            field.bytes = message.substr(at, size);
            at += size;
        }
        fields.push_back(field);
    }
    return fields;
}

struct Event {
    double wall_time = 0;
    int64_t step = 0;
    std::string file_version;
    bool session_start = false;
    std::map<std::string, float> scalars;
};

inline Event event_of(const std::string& record) {
    Event event;
    for (const Field& field : fields_of(record)) {
        if (field.number == 1 && field.wire_type == 1)
            event.wall_time = little_endian_at<double>(field.bytes, 0);
        else if (field.number == 2 && field.wire_type == 0)
            event.step = static_cast<int64_t>(field.integer);
        else if (field.number == 3 && field.wire_type == 2)
            event.file_version = field.bytes;
        else if (field.number == 7 && field.wire_type == 2)
            for (const Field& log : fields_of(field.bytes))
                event.session_start |= log.number == 1 && log.integer == 1;
        else if (field.number == 5 && field.wire_type == 2)
            for (const Field& value : fields_of(field.bytes)) {
                if (value.number != 1) throw std::runtime_error("a field that no Summary has");
                std::string tag;
                float number = 0;
                for (const Field& part : fields_of(value.bytes))
                    if (part.number == 1)
                        tag = part.bytes;
                    else if (part.number == 2 && part.wire_type == 5)
                        number = little_endian_at<float>(part.bytes, 0);
                    else
                        throw std::runtime_error("a field that no scalar has");
                event.scalars[tag] = number;
            }
        else
            throw std::runtime_error("a field that no Event has");
    }
    return event;
}

// Tag -> step -> value of all files of a folder, in the order of their names; the start of a
// session drops what was there of its step and later ones.
inline std::map<std::string, std::map<int64_t, float>> scalars_of(
    const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    std::map<std::string, std::map<int64_t, float>> scalars;
    for (const auto& file : files) {
        const std::vector<std::string> records = records_of(file);
        if (event_of(records.at(0)).file_version != "brain.Event:2")
            throw std::runtime_error("a file without its version");
        for (const std::string& record : records) {
            const Event event = event_of(record);
            if (event.session_start)
                for (auto& [tag, points] : scalars)
                    points.erase(points.lower_bound(event.step), points.end());
            for (const auto& [tag, value] : event.scalars) scalars[tag][event.step] = value;
        }
    }
    return scalars;
}

}  // namespace polytrain::testing
