#include "checkpoint/manifest.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "checkpoint/json_shape.hpp"
#include "core/error.hpp"
#include "core/strict_json.hpp"

namespace polytrain {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "polytrain-checkpoint";
constexpr int kVersion = 2;
constexpr uint64_t kMaxManifestBytes = uint64_t{1} << 30;

json slice_to_json(const Manifest::Slice& slice) {
    return {{"tensor", slice.tensor},
            {"dtype", name_of(slice.dtype)},
            {"shape", shape_to_json(slice.shape)},
            {"begin", slice.begin},
            {"end", slice.end},
            {"byte_begin", slice.byte_begin},
            {"byte_end", slice.byte_end},
            {"hash", slice.hash}};
}

std::optional<DType> dtype_named(std::string_view name) {
    for (const DType dtype : {DType::kF64, DType::kF32, DType::kBf16, DType::kI64, DType::kI32,
                              DType::kI16, DType::kU8})
        if (name == name_of(dtype)) return dtype;
    return std::nullopt;
}

Manifest::Slice slice_from_json(const json& record, const std::string& where) {
    Manifest::Slice slice;
    slice.tensor = record.at("tensor").get<std::string>();
    const auto dtype = dtype_named(record.at("dtype").get<std::string>());
    const auto shape = dtype ? shape_from_json(record.at("shape"), *dtype) : std::nullopt;
    if (!shape)
        fail(ExitCode::kCorrupt, "{}: tensor \"{}\": no possible dtype and shape: {} {}", where,
             slice.tensor, record["dtype"].dump(), record.value("shape", json()).dump());
    slice.dtype = *dtype;
    slice.shape = *shape;
    slice.begin = record.at("begin").get<int64_t>();
    slice.end = record.at("end").get<int64_t>();
    slice.byte_begin = record.at("byte_begin").get<int64_t>();
    slice.byte_end = record.at("byte_end").get<int64_t>();
    slice.hash = record.at("hash").get<std::string>();
    return slice;
}

Manifest::File file_from_json(const json& record, const std::string& where) {
    Manifest::File file;
    file.name = record.at("name").get<std::string>();
    file.bytes = record.at("bytes").get<int64_t>();
    file.header_bytes = record.at("header_bytes").get<int64_t>();
    file.header_hash = record.at("header_hash").get<std::string>();
    for (const json& slice : record.at("slices"))
        file.slices.push_back(slice_from_json(slice, where));
    return file;
}

std::string file_problem(const Manifest::File& file) {
    if (!is_plain_file_name(file.name))
        return fmt::format("\"{}\" is not a plain file name", file.name);
    if (file.header_bytes < 0 || file.bytes < file.header_bytes)
        return fmt::format("{}: {} bytes with a header of {}", file.name, file.bytes,
                           file.header_bytes);
    int64_t position = file.header_bytes;
    for (const Manifest::Slice& slice : file.slices) {
        const int64_t elements = slice.shape.elements();
        if (slice.begin < 0 || slice.end < slice.begin || slice.end > elements)
            return fmt::format("{}: elements {} to {} of {} of tensor \"{}\"", file.name,
                               slice.begin, slice.end, elements, slice.tensor);
        const auto bytes = (slice.end - slice.begin) * static_cast<int64_t>(size_of(slice.dtype));
        if (slice.byte_begin != position || bytes > file.bytes - position ||
            slice.byte_end != position + bytes)
            return fmt::format("{}: bytes {} to {} of tensor \"{}\" do not follow byte {}",
                               file.name, slice.byte_begin, slice.byte_end, slice.tensor, position);
        position = slice.byte_end;
    }
    if (position != file.bytes)
        return fmt::format("{}: its slices end at byte {} of {}", file.name, position, file.bytes);
    return "";
}

// Whether the slices of one tensor agree and hold each of its elements once.
std::string tensor_problem(std::vector<const Manifest::Slice*> slices) {
    std::sort(slices.begin(), slices.end(), [](const auto* a, const auto* b) {
        return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
    });
    const Manifest::Slice& first = *slices.front();
    int64_t position = 0;
    for (const Manifest::Slice* slice : slices) {
        if (slice->dtype != first.dtype || slice->shape != first.shape)
            return fmt::format("tensor \"{}\": its slices have different dtypes or shapes",
                               first.tensor);
        if (slice->begin != position)
            return fmt::format("tensor \"{}\": elements {} to {} are {}", first.tensor,
                               std::min(position, slice->begin), std::max(position, slice->begin),
                               slice->begin < position ? "there twice" : "missing");
        position = slice->end;
    }
    if (position != first.shape.elements())
        return fmt::format("tensor \"{}\": elements {} to {} are missing", first.tensor, position,
                           first.shape.elements());
    return "";
}

json files_to_json(const std::vector<Manifest::File>& all) {
    json files = json::array();
    for (const Manifest::File& file : all) {
        json slices = json::array();
        for (const Manifest::Slice& slice : file.slices) slices.push_back(slice_to_json(slice));
        files.push_back({{"name", file.name},
                         {"bytes", file.bytes},
                         {"header_bytes", file.header_bytes},
                         {"header_hash", file.header_hash},
                         {"slices", std::move(slices)}});
    }
    return files;
}

}  // namespace

bool is_plain_file_name(std::string_view name) {
    return !name.empty() && name != "." && name != ".." && name != kManifestName &&
           name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

std::string files_text(const std::vector<Manifest::File>& files) {
    return files_to_json(files).dump();
}

std::vector<Manifest::File> files_from_text(const std::string& text) {
    std::vector<Manifest::File> files;
    for (const json& file : json::parse(text)) files.push_back(file_from_json(file, "files"));
    return files;
}

std::string manifest_text(const Manifest& manifest) {
    return seal_json({{"format", kFormat},
                      {"version", kVersion},
                      {"program", manifest.program},
                      {"step", manifest.state.step},
                      {"updates", manifest.state.updates},
                      {"tokens", manifest.state.tokens},
                      {"next_sample", manifest.state.next_sample},
                      {"loss_window", manifest.state.loss_window},
                      {"grad_norm_window", manifest.state.grad_norm_window},
                      {"data_fingerprint", manifest.state.data_fingerprint},
                      {"config", manifest.state.config_json},
                      {"files", files_to_json(manifest.files)}});
}

std::string manifest_problem(const Manifest& manifest) {
    const TrainState& state = manifest.state;
    if (state.step < 0 || state.tokens < 0 || state.next_sample < 0)
        return fmt::format("negative counters: step {}, tokens {}, next_sample {}", state.step,
                           state.tokens, state.next_sample);
    if (state.updates < 0 || state.updates > state.step)
        return fmt::format("{} updates in {} steps", state.updates, state.step);
    std::set<std::string> names;
    std::map<std::string, std::vector<const Manifest::Slice*>> tensors;
    for (const Manifest::File& file : manifest.files) {
        if (std::string problem = file_problem(file); !problem.empty()) return problem;
        if (!names.insert(file.name).second) return fmt::format("{} is there twice", file.name);
        for (const Manifest::Slice& slice : file.slices) tensors[slice.tensor].push_back(&slice);
    }
    for (const auto& [name, slices] : tensors)
        if (std::string problem = tensor_problem(slices); !problem.empty()) return problem;
    return "";
}

Manifest read_manifest(const std::filesystem::path& path) {
    std::error_code ignored;
    const auto type = std::filesystem::status(path, ignored).type();
    if (type != std::filesystem::file_type::regular &&
        type != std::filesystem::file_type::not_found)
        fail(ExitCode::kCorrupt, "{}: not a regular file", path.string());
    const json document = read_sealed_json(path, kMaxManifestBytes);
    const std::string where = path.string();
    if (document.value("format", json()) != kFormat)
        fail(ExitCode::kCorrupt, "{}: does not describe a checkpoint", where);
    if (document.value("version", json()) != kVersion)
        fail(ExitCode::kBadConfig,
             "{}: format version {}, this program reads version {} only; PolyTrain {}, which wrote "
             "it, can go on with it",
             where, document.value("version", json()).dump(), kVersion,
             document.value("program", json()).dump());
    Manifest manifest;
    try {
        manifest.program = document.at("program").get<std::string>();
        manifest.state = {document.at("step").get<int64_t>(),
                          document.at("tokens").get<int64_t>(),
                          document.at("next_sample").get<int64_t>(),
                          document.at("data_fingerprint").get<std::string>(),
                          document.at("config").get<std::string>(),
                          document.at("updates").get<int64_t>(),
                          document.at("loss_window").get<std::vector<double>>(),
                          document.at("grad_norm_window").get<std::vector<double>>()};
        for (const json& file : document.at("files"))
            manifest.files.push_back(file_from_json(file, where));
    } catch (const json::exception& error) {
        fail(ExitCode::kCorrupt, "{}: {}", where, error.what());
    }
    if (const std::string problem = manifest_problem(manifest); !problem.empty())
        fail(ExitCode::kCorrupt, "{}: {}", where, problem);
    return manifest;
}

}  // namespace polytrain
