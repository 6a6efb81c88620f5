#include "data/text/text_inputs.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <system_error>

#include "core/error.hpp"
#include "data/text/byte_source.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKnown =
    ".txt (one document) and .jsonl, .json, .ndjson (one on each line) can be read, each also .gz, "
    ".zst or .bz2";

int64_t modified_ns(const struct stat& info) {
    return int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

std::optional<TextInput> recognise(const fs::path& path) {
    TextInput input;
    input.path = path;
    input.compression = compression_of(path);
    const fs::path inner = input.compression == Compression::kNone ? path : path.stem();
    const fs::path extension = inner.extension();
    if (extension == ".jsonl" || extension == ".json" || extension == ".ndjson")
        input.format = TextFormat::kJsonl;
    else if (extension != ".txt")
        return std::nullopt;
    return input;
}

class Finder {
  public:
    void add(const fs::path& path) {
        std::error_code error;
        const fs::file_status status = fs::status(path, error);
        if (!fs::exists(status))
            fail(ExitCode::kInputMissing, "{}: cannot open: {}", path.string(),
                 error ? error.message() : errno_text(ENOENT));
        if (fs::is_directory(status)) {
            add_folder(path);
        } else if (const auto input = recognise(path)) {
            add_file(*input);
        } else {
            fail(ExitCode::kUsage, "{}: files with this extension cannot be read; {}",
                 path.string(), kKnown);
        }
    }
    TextInputs found;

  private:
    void add_folder(const fs::path& folder) {
        std::vector<TextInput> files;
        try {
            for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
                if (entry.is_directory() && !entry.is_symlink()) continue;
                const auto input = recognise(entry.path());
                if (input && entry.is_regular_file())
                    files.push_back(*input);
                else
                    ++found.skipped;
            }
        } catch (const fs::filesystem_error& error) {
            fail(ExitCode::kIo, "{}: cannot list: {}", folder.string(), error.what());
        }
        if (files.empty())
            fail(ExitCode::kInputMissing, "{}: holds no file to read; {}", folder.string(), kKnown);
        std::sort(files.begin(), files.end(), [](const TextInput& a, const TextInput& b) {
            return a.path.native() < b.path.native();
        });
        for (const TextInput& file : files) add_file(file);
    }

    void add_file(TextInput input) {
        struct stat info {};
        if (::stat(input.path.c_str(), &info) != 0)
            fail(ExitCode::kInputMissing, "{}: cannot open: {}", input.path.string(),
                 errno_text(errno));
        const auto [first, added] = seen_.emplace(std::pair(info.st_dev, info.st_ino), input.path);
        if (!added)
            fail(ExitCode::kUsage, "{}: is given twice (the first time as {})", input.path.string(),
                 first->second.string());
        input.bytes = info.st_size;
        input.modified_ns = modified_ns(info);
        found.files.push_back(std::move(input));
    }

    std::map<std::pair<dev_t, ino_t>, fs::path> seen_;
};

}  // namespace

bool is_text_input(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored) || recognise(path).has_value();
}

TextInputs find_text_inputs(const std::vector<fs::path>& paths) {
    if (paths.empty()) fail(ExitCode::kUsage, "no input files are given");
    Finder finder;
    for (const fs::path& path : paths) finder.add(path);
    return std::move(finder.found);
}

void check_unchanged(const std::vector<TextInput>& files) {
    for (const TextInput& file : files) {
        struct stat info {};
        if (::stat(file.path.c_str(), &info) != 0 || info.st_size != file.bytes ||
            modified_ns(info) != file.modified_ns)
            fail(ExitCode::kCorrupt, "{}: changed while it was read; start again",
                 file.path.string());
    }
}

}  // namespace polytrain
