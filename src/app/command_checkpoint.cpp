#include "app/command_checkpoint.hpp"

#include <fmt/chrono.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/output.hpp"
#include "app/runtime.hpp"
#include "checkpoint/checkpoint.hpp"
#include "checkpoint/folder.hpp"
#include "ops/squared_sum.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Arguments {
    std::string path;
    bool json = false;
};

bool is_checkpoint(const fs::path& path) {
    return fs::exists(path / kManifestName);
}

void require_folder(const fs::path& path) {
    if (!fs::is_directory(path))
        fail(ExitCode::kInputMissing, "{}: there is no such folder", path.string());
}

// The committed checkpoints of a run, the oldest first.
std::vector<fs::path> checkpoints_of(const fs::path& run) {
    require_folder(run);
    std::vector<fs::path> folders;
    for (const int64_t step : committed_steps(run)) folders.push_back(checkpoint_folder(run, step));
    return folders;
}

// When the manifest, a checkpoint's last file, was written: "2026-03-04T05:06:07Z".
std::string saved_at(const fs::path& manifest) {
    struct stat info {};
    if (::stat(manifest.c_str(), &info) != 0) return "";
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(info.st_mtime));
}

// What the manifest says; the tensors are not looked at.
Json listed(const fs::path& folder) {
    Json line{{"name", folder.filename().string()}};
    try {
        const Manifest manifest = read_manifest(folder / kManifestName);
        int64_t bytes = 0;
        for (const Manifest::File& file : manifest.files) bytes += file.bytes;
        line.update({{"step", manifest.state.step},
                     {"updates", manifest.state.updates},
                     {"tokens", manifest.state.tokens},
                     {"bytes", bytes},
                     {"saved_at", saved_at(folder / kManifestName)},
                     {"program", manifest.program}});
    } catch (const Error& error) {
        line["problem"] = error.what();
    }
    return line;
}

void list(const Arguments& arguments) {
    if (!fs::is_directory(fs::path(arguments.path) / "checkpoints"))
        fail(ExitCode::kInputMissing, "{}: no run's folder: there is no checkpoints/ in it",
             arguments.path);
    Json lines = Json::array();
    for (const fs::path& folder : checkpoints_of(arguments.path)) lines.push_back(listed(folder));
    if (arguments.json) return print(lines.dump(2) + "\n");
    std::string text = fmt::format("{:<16}{:>16}{:>16}  {:<22}{}\n", "checkpoint", "tokens",
                                   "bytes", "saved at", "program");
    for (const Json& line : lines) {
        const auto name = line["name"].get<std::string>();
        if (line.contains("problem"))
            text += fmt::format("{:<16}  {}\n", name, line["problem"].get<std::string>());
        else
            text +=
                fmt::format("{:<16}{:>16}{:>16}  {:<22}{}\n", name, line["tokens"].get<int64_t>(),
                            line["bytes"].get<int64_t>(), line["saved_at"].get<std::string>(),
                            line["program"].get<std::string>());
    }
    print(text);
}

void verify(const Arguments& arguments) {
    const fs::path path = arguments.path;
    require_folder(path);
    const auto folders =
        is_checkpoint(path) ? std::vector<fs::path>{path} : checkpoints_of(arguments.path);
    if (folders.empty()) fail(ExitCode::kInputMissing, "{}: no checkpoint here", path.string());
    size_t bad = 0;
    for (const fs::path& folder : folders) {
        try {
            const Checkpoint checkpoint = Checkpoint::open(folder);
            print(fmt::format("{}: whole, {} tensors\n", folder.string(),
                              checkpoint.tensors().size()));
        } catch (const Error& error) {
            ++bad;
            print(fmt::format("{}: DAMAGED: {}\n", folder.string(), error.what()));
        }
    }
    if (bad > 0)
        fail(ExitCode::kCorrupt, "{} of {} checkpoints in {} are damaged", bad, folders.size(),
             path.string());
}

Json described(const Checkpoint& checkpoint) {
    const auto runtime = make_runtime(RunConfig());
    const Stream stream(*runtime->backend);
    Json tensors = Json::array();
    for (const auto& [name, info] : checkpoint.tensors()) {
        nlohmann::json shape = nlohmann::json::array();
        for (int i = 0; i < info.shape.rank(); ++i) shape.push_back(info.shape[i]);
        Json line{{"name", name}, {"dtype", name_of(info.dtype)}, {"shape", shape}};
        if (is_float(info.dtype) && info.shape.elements() > 0) {
            const auto count = info.shape.elements();
            const Buffer memory(*runtime->backend,
                                static_cast<size_t>(count) * size_of(info.dtype));
            const Tensor tensor{memory.data(), info.shape, info.dtype, {}};
            checkpoint.read(name, tensor);
            line["rms"] =
                std::sqrt(squared_sum(runtime->ops, stream, tensor) / static_cast<double>(count));
        }
        tensors.push_back(std::move(line));
    }
    const TrainState& state = checkpoint.state();
    return {{"folder", checkpoint.folder().string()},
            {"saved_at", saved_at(checkpoint.folder() / kManifestName)},
            {"program", checkpoint.program()},
            {"step", state.step},
            {"updates", state.updates},
            {"tokens", state.tokens},
            {"next_sample", state.next_sample},
            {"data_fingerprint", state.data_fingerprint},
            {"tensors", tensors}};
}

void inspect(const Arguments& arguments) {
    require_folder(arguments.path);
    if (!is_checkpoint(arguments.path))
        fail(ExitCode::kInputMissing, "{}: no checkpoint; name a folder RUN/checkpoints/step-N",
             arguments.path);
    const Checkpoint checkpoint = Checkpoint::open(arguments.path);
    const Json json = described(checkpoint);
    if (arguments.json) return print(json.dump(2) + "\n");
    std::string text;
    for (const auto& [key, value] : json.items())
        if (key != "tensors")
            text += fmt::format("{:<18}{}\n", key,
                                value.is_string() ? value.get<std::string>() : value.dump());
    size_t width = 6;
    for (const Json& tensor : json["tensors"])
        width = std::max(width, tensor["name"].get<std::string>().size());
    text += fmt::format("\n{:<{}}  {:<6}{:<20}{}\n", "tensor", width, "dtype", "shape", "rms");
    for (const Json& tensor : json["tensors"])
        text += fmt::format(
            "{:<{}}  {:<6}{:<20}{}\n", tensor["name"].get<std::string>(), width,
            tensor["dtype"].get<std::string>(), tensor["shape"].dump(),
            tensor.contains("rms") ? fmt::format("{:.6g}", tensor["rms"].get<double>()) : "");
    print(text);
}

void add(CLI::App* parent, const char* name, const char* what, const char* path_name,
         const char* path_what, void (*run)(const Arguments&)) {
    CLI::App* command = parent->add_subcommand(name, what);
    const auto arguments = std::make_shared<Arguments>();
    command->add_option(path_name, arguments->path, path_what)->required();
    if (run != verify) command->add_flag("--json", arguments->json, "The same as JSON");
    command->callback([arguments, run] { run(*arguments); });
}

}  // namespace

void add_checkpoint_command(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("checkpoint", "Look at the checkpoints of a run (docs/checkpoints.md)");
    command->require_subcommand(1);
    add(command, "list", "The checkpoints of a run, by their manifests", "RUN", "A run folder",
        list);
    add(command, "verify", "Check every byte; exit 65 if any is not what was written", "PATH",
        "A run folder, or one checkpoint in it", verify);
    add(command, "inspect", "A checkpoint's state and tensors", "CHECKPOINT",
        "A folder RUN/checkpoints/step-N", inspect);
}

}  // namespace polytrain
