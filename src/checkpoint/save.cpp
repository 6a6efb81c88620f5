#include "checkpoint/save.hpp"

#include <optional>
#include <system_error>

#include "checkpoint/safetensors.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/hash.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

// What the manifest and the headers may take, when the free space is looked at.
constexpr uint64_t kOverheadBytes = 1 << 20;

// The folder that becomes a checkpoint when it is committed, and nothing when it isn't.
class TemporaryFolder {
  public:
    explicit TemporaryFolder(const fs::path& target)
        : path_(temporary_name(target)), target_(target) {
        std::error_code error;
        if (!fs::create_directory(path_, error))
            fail(ExitCode::kCannotWrite, "{}: cannot create this folder: {}", path_.string(),
                 error ? error.message() : "it exists");
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const fs::path& path() const { return path_; }
    void commit() const {
        sync_folder(path_);
        rename_durable(path_, target_);
    }

  private:
    fs::path path_, target_;
};

uint64_t bytes_needed(std::span<const FileContents> files) {
    uint64_t needed = kOverheadBytes;
    for (const FileContents& file : files)
        for (const TensorSlice& slice : file.slices) needed += slice.data.bytes();
    return needed;
}

// The free bytes there; nothing where the system doesn't say.
std::optional<uint64_t> bytes_free(const fs::path& folder) {
    std::error_code error;
    const fs::space_info space = fs::space(folder, error);
    return error ? std::nullopt : std::optional<uint64_t>(space.available);
}

void check_space(const fs::path& folder, uint64_t needed) {
    const auto free = bytes_free(folder);
    if (free && *free < needed)
        fail(ExitCode::kCannotWrite, "{}: the checkpoint needs {} bytes, {} are free",
             folder.string(), needed, *free);
}

// The slice as an entry of its file: a whole tensor under its own name and shape, a part as a flat
// array named "tensor[begin:end]".
SafetensorsEntry entry_of(const TensorSlice& slice) {
    const int64_t count = slice.data.elements();
    if (count == slice.shape.elements()) return {slice.tensor, slice.data.dtype, slice.shape};
    return {fmt::format("{}[{}:{}]", slice.tensor, slice.begin, slice.begin + count),
            slice.data.dtype, Shape{count}};
}

Manifest::File write_tensors(const fs::path& folder, const FileContents& contents) {
    PT_CHECK(is_plain_file_name(contents.name), "\"{}\" is not a plain file name", contents.name);
    std::vector<SafetensorsEntry> entries;
    for (const TensorSlice& slice : contents.slices) entries.push_back(entry_of(slice));
    // {"format": "pt"} is what Hugging Face's readers ask for.
    SafetensorsWriter writer(folder / contents.name, std::move(entries), {{"format", "pt"}});

    const std::string& header = writer.header();
    const auto header_bytes = static_cast<int64_t>(header.size());
    Manifest::File file{contents.name, header_bytes, header_bytes, content_hash(header), {}};
    for (size_t i = 0; i < contents.slices.size(); ++i) {
        const TensorSlice& slice = contents.slices[i];
        const SafetensorsEntry& entry = writer.tensors()[i];
        PT_CHECK(slice.data.device == Device{}, "\"{}\" is not in host memory", slice.tensor);
        // Hashed before it is written: damage on the way to the disk and back will show.
        std::string hash = content_hash(slice.data.data, slice.data.bytes());
        writer.write(slice.data.data, slice.data.bytes());
        file.slices.push_back({slice.tensor, slice.data.dtype, slice.shape, slice.begin,
                               slice.begin + slice.data.elements(),
                               static_cast<int64_t>(entry.begin), static_cast<int64_t>(entry.end),
                               std::move(hash)});
        file.bytes = static_cast<int64_t>(entry.end);
    }
    writer.commit();
    return file;
}

void write_and_commit(const fs::path& target, const TrainState& state,
                      std::span<const FileContents> files) {
    const TemporaryFolder temporary(target);
    Manifest manifest{POLYTRAIN_VERSION, state, {}};
    for (const FileContents& file : files)
        manifest.files.push_back(write_tensors(temporary.path(), file));
    const std::string problem = manifest_problem(manifest);
    PT_CHECK(problem.empty(), "a checkpoint that could not be read back: {}", problem);

    OutputFile out(temporary.path() / kManifestName);
    out.write(manifest_text(manifest));
    out.commit();
    temporary.commit();
}

}  // namespace

void save_checkpoint(const fs::path& run_folder, const TrainState& state,
                     std::span<const FileContents> files) {
    const fs::path target = checkpoint_folder(run_folder, state.step);
    make_folders(target.parent_path());
    sync_folder(run_folder);
    std::error_code error;
    if (fs::exists(target, error))
        fail(ExitCode::kCannotWrite, "{}: this checkpoint exists already; it is left as it is",
             target.string());
    const uint64_t needed = bytes_needed(files);
    check_space(target.parent_path(), needed);
    try {
        write_and_commit(target, state, files);
    } catch (const Error& failure) {
        // Another program may have taken the space meanwhile, or there is a quota.
        if (failure.code() != ExitCode::kCannotWrite) throw;
        const auto free = bytes_free(target.parent_path());
        fail(ExitCode::kCannotWrite, "{}; the checkpoint needs {} bytes, {} are free",
             failure.what(), needed, free ? fmt::format("{}", *free) : "an unknown number");
    }
}

}  // namespace polytrain
