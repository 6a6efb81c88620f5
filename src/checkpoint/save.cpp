#include "checkpoint/save.hpp"

#include <algorithm>
#include <optional>
#include <system_error>

#include "checkpoint/safetensors.hpp"
#include "checkpoint/temporary_folder.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/hash.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

// What the manifest and the headers may take, when the free space is looked at.
constexpr uint64_t kOverheadBytes = 1 << 20;

uint64_t bytes_needed(std::span<const FileContents> files) {
    uint64_t needed = kOverheadBytes;
    for (const FileContents& file : files)
        for (const TensorSlice& slice : file.slices) needed += slice.bytes();
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
    if (count == slice.shape.elements()) return {slice.tensor, slice.dtype(), slice.shape};
    return {fmt::format("{}[{}:{}]", slice.tensor, slice.begin, slice.begin + count), slice.dtype(),
            Shape{count}};
}

// Calls f(data, bytes) with what is saved of the slice, piece by piece.
template <class F>
void for_pieces(const TensorSlice& slice, const F& f) {
    if (slice.remainder.data == nullptr) return f(slice.data.data, slice.data.bytes());
    constexpr int64_t kPiece = int64_t{1} << 16;
    std::vector<float> joined(static_cast<size_t>(std::min(kPiece, slice.data.elements())));
    for (int64_t begin = 0; begin < slice.data.elements(); begin += kPiece) {
        const auto count = static_cast<size_t>(std::min(kPiece, slice.data.elements() - begin));
        join_floats(slice.data.as<Bf16>() + begin, slice.remainder.as<int16_t>() + begin, count,
                    joined.data());
        f(joined.data(), count * sizeof(float));
    }
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
        ContentHasher hash;
        for_pieces(slice, [&](const void* data, size_t bytes) {
            hash.add(data, bytes);
            writer.write(data, bytes);
        });
        file.slices.push_back({slice.tensor, slice.dtype(), slice.shape, slice.begin,
                               slice.begin + slice.data.elements(),
                               static_cast<int64_t>(entry.begin), static_cast<int64_t>(entry.end),
                               hash.text()});
        file.bytes = static_cast<int64_t>(entry.end);
    }
    writer.commit();
    return file;
}

// What a rank tells the others of its part: an answer, or '!', the exit code and what failed.
constexpr char kFailed = '!';
template <class F>
std::string answer_of(const F& part) {
    try {
        return part();
    } catch (const Error& error) {
        return fmt::format("{}{} {}", kFailed, static_cast<int>(error.code()), error.what());
    } catch (const std::exception& error) {
        return fmt::format("{}{} {}", kFailed, static_cast<int>(ExitCode::kInternal), error.what());
    }
}

// Everybody's answers; where one failed, its error on all ranks.
std::vector<std::string> exchange(Communicator& group, const std::string& answer,
                                  std::string_view label) {
    std::vector<std::string> answers = gather_texts(group, answer, label);
    for (size_t rank = 0; rank < answers.size(); ++rank)
        if (const std::string& text = answers[rank]; text.starts_with(kFailed)) {
            const size_t space = text.find(' ');
            const auto code = static_cast<ExitCode>(std::stoi(text.substr(1, space - 1)));
            fail(code, "{}{}", group.size() > 1 ? fmt::format("rank {}: ", rank) : "",
                 text.substr(space + 1));
        }
    return answers;
}

// Adds what is free to an error for want of it: another program may have taken the space meanwhile,
// or there is a quota.
template <class F>
auto with_free_space(const fs::path& folder, uint64_t needed, const F& part) {
    try {
        return part();
    } catch (const Error& failure) {
        if (failure.code() != ExitCode::kCannotWrite) throw;
        const auto free = bytes_free(folder);
        fail(ExitCode::kCannotWrite, "{}; the checkpoint needs {} bytes, {} are free",
             failure.what(), needed, free ? fmt::format("{}", *free) : "an unknown number");
    }
}

void write_manifest_and_commit(const TemporaryFolder& temporary, const TrainState& state,
                               const std::vector<std::string>& written) {
    Manifest manifest{POLYTRAIN_VERSION, state, {}};
    for (const std::string& text : written)
        for (Manifest::File& file : files_from_text(text))
            manifest.files.push_back(std::move(file));
    const std::string problem = manifest_problem(manifest);
    PT_CHECK(problem.empty(), "a checkpoint that could not be read back: {}", problem);

    OutputFile out(temporary.path() / kManifestName);
    out.write(manifest_text(manifest));
    out.commit();
    temporary.commit();
}

}  // namespace

void save_checkpoint(const fs::path& run_folder, const TrainState& state,
                     std::span<const FileContents> files, Communicator& group) {
    const fs::path target = checkpoint_folder(run_folder, state.step);
    const fs::path parent = target.parent_path();
    const bool is_first = group.rank() == 0;
    uint64_t needed = 0;
    for (const std::string& bytes :
         exchange(group, fmt::format("{}", bytes_needed(files)), "bytes of the checkpoint"))
        needed += std::stoull(bytes);

    std::optional<TemporaryFolder> temporary;
    const auto prepare = [&] {
        make_folders(parent);
        sync_folder(run_folder);
        std::error_code error;
        if (fs::exists(target, error))
            fail(ExitCode::kCannotWrite, "{}: this checkpoint exists already; it is left as it is",
                 target.string());
        check_space(parent, needed);
        temporary.emplace(target);
        return temporary->path().filename().string();
    };
    const fs::path folder =
        parent / exchange(group, is_first ? answer_of(prepare) : "", "checkpoint begins")[0];
    const auto write = [&] {
        return with_free_space(parent, needed, [&] {
            std::vector<Manifest::File> written;
            for (const FileContents& file : files) written.push_back(write_tensors(folder, file));
            return files_text(written);
        });
    };
    const auto written = exchange(group, answer_of(write), "checkpoint is written");
    const auto commit = [&] {
        return with_free_space(parent, needed, [&] {
            write_manifest_and_commit(*temporary, state, written);
            return std::string();
        });
    };
    exchange(group, is_first ? answer_of(commit) : "", "checkpoint is committed");
}

void save_checkpoint(const fs::path& run_folder, const TrainState& state,
                     std::span<const FileContents> files) {
    save_checkpoint(run_folder, state, files, *make_local_communicator());
}

}  // namespace polytrain
