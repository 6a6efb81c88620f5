#include "checkpoint/save.hpp"

#include <random>
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
    explicit TemporaryFolder(const fs::path& target) : path_(target), target_(target) {
        std::random_device random;
        path_ += fmt::format(".tmp-{:08x}{:08x}", random(), random());
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

void check_space(const fs::path& folder, std::span<const FileContents> files) {
    uint64_t needed = kOverheadBytes;
    for (const FileContents& file : files)
        for (const TensorSlice& slice : file.slices) needed += slice.data.bytes();
    std::error_code error;
    const fs::space_info space = fs::space(folder, error);
    if (!error && space.available < needed)
        fail(ExitCode::kCannotWrite, "{}: the checkpoint needs {} bytes, {} are free",
             folder.string(), needed, space.available);
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

}  // namespace

fs::path checkpoint_folder(const fs::path& run_folder, int64_t step) {
    return run_folder / "checkpoints" / fmt::format("step-{}", step);
}

void save_checkpoint(const fs::path& run_folder, const TrainState& state,
                     std::span<const FileContents> files) {
    const fs::path target = checkpoint_folder(run_folder, state.step);
    make_folders(target.parent_path());
    sync_folder(run_folder);
    std::error_code error;
    if (fs::exists(target, error))
        fail(ExitCode::kCannotWrite, "{}: this checkpoint exists already; it is left as it is",
             target.string());
    check_space(target.parent_path(), files);

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

}  // namespace polytrain
