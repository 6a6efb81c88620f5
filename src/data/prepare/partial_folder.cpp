#include "data/prepare/partial_folder.hpp"

#include <system_error>
#include <utility>

#include "core/error.hpp"
#include "core/file.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

}  // namespace

PartialFolder::PartialFolder(fs::path out) : out_(std::move(out)), folder_(out_ / kPartialFolder) {
    make_folders(folder_);
    auto lock = FileLock::of_folder(folder_);
    if (!lock)
        fail(ExitCode::kCannotWrite,
             "{}: another prepare is writing there; wait for it or choose another folder",
             out_.string());
    lock_ = std::move(*lock);
}

PartialFolder::~PartialFolder() {
    std::error_code ignored;
    if (!fs::exists(journal(), ignored)) fs::remove_all(folder_, ignored);
}

void PartialFolder::clear() {
    // The journal first: without it nothing that is left counts.
    fs::remove(journal());
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_))
        fs::remove_all(entry.path());
}

bool PartialFolder::has_results() const {
    const auto has = [&](const char* name) {
        return fs::exists(folder_ / name) || fs::exists(out_ / name);
    };
    return has("train.bin") && has("train.json");
}

void PartialFolder::publish(uint64_t train_bytes, bool held_out, bool has_tokenizer_file) {
    if (fs::exists(folder_ / "train.bin")) OutputFile(folder_ / "train.bin", train_bytes).commit();
    // A side file goes before its array: with it in place a later prepare knows the pair for its
    // own, and until the array follows, its hashes tell readers that the two don't match.
    for (const char* name :
         {"tokenizer.json", "train.json", "train.bin", "validation.json", "validation.bin"})
        if (fs::exists(folder_ / name)) rename_durable(folder_ / name, out_ / name);
    if (!held_out) {  // an older one would be held out of another text
        fs::remove(out_ / "validation.bin");
        fs::remove(out_ / "validation.json");
    }
    if (!has_tokenizer_file) fs::remove(out_ / "tokenizer.json");
    clear();
}

}  // namespace polytrain
