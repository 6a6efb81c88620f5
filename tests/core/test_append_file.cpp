#include "core/append_file.hpp"

#include <sys/stat.h>

#include <cerrno>

#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/file_limit.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("append file: records are added to what is there") {
    const TempFolder folder;
    spit(folder / "a", "old ");
    {
        AppendFile file(folder / "a");
        CHECK(file.append("one "));
        CHECK(slurp(folder / "a") == "old one ");
        CHECK(file.append(""));
        CHECK(file.append("two"));
    }
    CHECK(slurp(folder / "a") == "old one two");
    CHECK(thrown_by([&] { AppendFile(folder / "none/a"); }).code == ExitCode::kCannotWrite);
}

TEST_CASE("append file: a record that doesn't fit leaves nothing behind, the next may fit") {
    const TempFolder folder;
    AppendFile file(folder / "a");
    CHECK(file.append("12345"));
    {
        const FileLimit limit(8);
        CHECK_FALSE(file.append("abcdef"));
        CHECK(errno == EFBIG);
        CHECK(slurp(folder / "a") == "12345");
        CHECK(file.append("abc"));
    }
    CHECK(file.append("def"));
    CHECK(slurp(folder / "a") == "12345abcdef");
    struct stat info {};
    if (::stat("/dev/full", &info) == 0) {
        CHECK_FALSE(AppendFile("/dev/full").append("x"));
        CHECK(errno == ENOSPC);
    }
}
