#include "core/file.hpp"

#include <sys/stat.h>

#include "support/catch.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using polytrain::testing::TempFolder, polytrain::testing::thrown_by;

TEST_CASE("file: written, replaced, read and mapped") {
    const TempFolder folder;
    write_file_atomic(folder / "a", "first");
    write_file_atomic(folder / "a", "second");
    CHECK(read_file(folder / "a") == "second");
    const MappedFile mapped(folder / "a");
    CHECK(mapped.bytes().size() == 6);
    write_file_atomic(folder / "empty", "");
    CHECK(read_file(folder / "empty").empty());
    CHECK(MappedFile(folder / "empty").bytes().empty());
    // Nothing temporary is left.
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2);
}

TEST_CASE("file: errors have their exit codes") {
    const TempFolder folder;
    write_file_atomic(folder / "a", "text");
    CHECK(thrown_by([&] { read_file(folder / "none"); }).code == ExitCode::kInputMissing);
    CHECK(thrown_by([&] { read_file(folder.path()); }).code == ExitCode::kInputMissing);
    CHECK(thrown_by([&] { read_file(folder / "a", 3); }).code == ExitCode::kCorrupt);
    CHECK(thrown_by([&] { OutputFile(folder / "a"); }).code == ExitCode::kCannotWrite);
    CHECK(thrown_by([&] { make_folders(folder / "a/b"); }).code == ExitCode::kCannotWrite);
    CHECK(thrown_by([&] { rename_durable(folder / "none", folder / "b"); }).code ==
          ExitCode::kCannotWrite);
    struct stat info {};
    if (::stat("/dev/full", &info) == 0) {
        std::filesystem::create_symlink("/dev/full", folder / "full");
        CHECK(thrown_by([&] { read_file(folder / "full"); }).code == ExitCode::kInputMissing);
    }
}
