#include "checkpoint/checkpoint.hpp"

#include <algorithm>
#include <cstring>
#include <sstream>
#include <system_error>

#include "checkpoint/folder.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/log.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

}  // namespace

Checkpoint Checkpoint::open(const fs::path& folder, int reader, int readers) {
    Checkpoint checkpoint;
    checkpoint.folder_ = folder;
    checkpoint.manifest_ = read_manifest(folder / kManifestName);
    for (const Manifest::File& file : checkpoint.manifest_.files) checkpoint.map(file);
    for (auto i = static_cast<size_t>(reader); i < checkpoint.files_.size();
         i += static_cast<size_t>(readers))
        checkpoint.verify(checkpoint.manifest_.files[i], checkpoint.files_[i]);
    return checkpoint;
}

void Checkpoint::map(const Manifest::File& file) {
    const fs::path path = folder_ / file.name;
    std::error_code error;
    if (!fs::is_regular_file(fs::symlink_status(path, error)))
        fail(ExitCode::kCorrupt, "{}: the manifest names this file, but there is none",
             path.string());
    files_.emplace_back(path);
    const std::span<const std::byte> bytes = files_.back().bytes();
    if (static_cast<int64_t>(bytes.size()) != file.bytes)
        fail(ExitCode::kCorrupt, "{}: {} bytes, but {} were written", path.string(), bytes.size(),
             file.bytes);
    for (const Manifest::Slice& slice : file.slices) {
        TensorInfo& info = tensors_[slice.tensor];
        info.dtype = slice.dtype;
        info.shape = slice.shape;
        places_[slice.tensor].push_back({files_.size() - 1, &slice});
    }
}

void Checkpoint::verify(const Manifest::File& file, const MappedFile& mapped) const {
    const std::string path = (folder_ / file.name).string();
    const std::span<const std::byte> bytes = mapped.bytes();
    if (content_hash(bytes.data(), static_cast<size_t>(file.header_bytes)) != file.header_hash)
        fail(ExitCode::kCorrupt, "{}: the header, bytes 0 to {}, was changed", path,
             file.header_bytes);
    for (const Manifest::Slice& slice : file.slices) {
        const auto size = static_cast<size_t>(slice.byte_end - slice.byte_begin);
        if (content_hash(bytes.data() + slice.byte_begin, size) != slice.hash)
            fail(ExitCode::kCorrupt, "{}: tensor \"{}\", bytes {} to {}, was changed", path,
                 slice.tensor, slice.byte_begin, slice.byte_end);
    }
}

void Checkpoint::read(const std::string& tensor, const Shape& whole, int64_t begin,
                      const Tensor& into) const {
    PT_CHECK(into.device == Device{}, "\"{}\" is read into device memory", tensor);
    const auto found = tensors_.find(tensor);
    if (found == tensors_.end())
        fail(ExitCode::kBadConfig, "{}: has no tensor \"{}\", which this config's model has",
             folder_.string(), tensor);
    const TensorInfo& info = found->second;
    if (info.dtype != into.dtype || info.shape != whole)
        fail(ExitCode::kBadConfig,
             "{}: tensor \"{}\" is {} {}, but this config's model has it as {} {}",
             folder_.string(), tensor, name_of(info.dtype), info.shape.text(), name_of(into.dtype),
             whole.text());
    const int64_t end = begin + into.elements();
    PT_CHECK(0 <= begin && end <= whole.elements(), "elements {} to {} of \"{}\"", begin, end,
             tensor);
    const auto size = static_cast<int64_t>(size_of(info.dtype));
    for (const auto& [file, slice] : places_.at(tensor)) {
        const int64_t first = std::max(begin, slice->begin);
        const int64_t count = std::min(end, slice->end) - first;
        if (count > 0)
            std::memcpy(
                static_cast<std::byte*>(into.data) + (first - begin) * size,
                files_[file].bytes().data() + slice->byte_begin + (first - slice->begin) * size,
                static_cast<size_t>(count * size));
    }
}

std::optional<Checkpoint> newest_checkpoint(const fs::path& run_folder,
                                            std::vector<PassedOver>& passed_over) {
    return newest_checkpoint(run_folder, passed_over, *make_local_communicator());
}

std::optional<Checkpoint> newest_checkpoint(const fs::path& run_folder,
                                            std::vector<PassedOver>& passed_over,
                                            Communicator& group) {
    std::string steps_here;
    if (group.rank() == 0) {
        for (const std::string& name : names_in_checkpoints(run_folder))
            if (is_leftover(name))
                passed_over.push_back({name, "a save or removal that was not finished"});
        std::vector<int64_t> steps = committed_steps(run_folder);
        std::reverse(steps.begin(), steps.end());
        steps_here = fmt::format("{}", fmt::join(steps, " "));
    }
    std::istringstream steps(gather_texts(group, steps_here, "checkpoints there are")[0]);
    for (int64_t step = 0; steps >> step;) {
        const fs::path folder = checkpoint_folder(run_folder, step);
        std::optional<Checkpoint> checkpoint;
        std::string damage;
        try {
            checkpoint = Checkpoint::open(folder, group.rank(), group.size());
            if (checkpoint->state().step != step)
                fail(ExitCode::kCorrupt, "{}: the manifest is of step {}", folder.string(),
                     checkpoint->state().step);
        } catch (const Error& error) {
            // What can't be read now, or by this program, is not damaged.
            const bool is_damaged =
                error.code() == ExitCode::kCorrupt || error.code() == ExitCode::kInputMissing;
            if (!is_damaged) throw;
            damage = error.what();
        }
        for (const std::string& found : gather_texts(group, damage, "damage of a checkpoint"))
            if (damage.empty()) damage = found;
        if (damage.empty()) return checkpoint;
        passed_over.push_back({folder.filename().string(), damage});
    }
    return std::nullopt;
}

bool log_passed_over(const std::vector<PassedOver>& passed_over) {
    bool any_committed = false;
    for (const PassedOver& other : passed_over) {
        log::warn_together("passed over {}: {}", other.name, other.reason);
        any_committed |= step_of(other.name).has_value();
    }
    return any_committed;
}

}  // namespace polytrain
