#include "data/text/line_reader.hpp"

#include <vector>

#include "support/damage.hpp"
#include "support/random.hpp"
#include "support/temp_folder.hpp"
#include "support/text_files.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

std::vector<std::string> lines_of(const std::filesystem::path& path) {
    std::vector<std::string> lines;
    LineReader reader(path);
    for (std::string line; reader.next(line);) {
        lines.push_back(line);
        CHECK(reader.number() == std::ssize(lines));
    }
    std::string line;
    CHECK_FALSE(reader.next(line));
    return lines;
}

}  // namespace

TEST_CASE("line reader: lines, whatever ends them, the last perhaps without an end") {
    const TempFolder folder;
    using Lines = std::vector<std::string>;
    const auto check = [&](const std::string& text, const Lines& wanted) {
        spit(folder / "text", text);
        CHECK(lines_of(folder / "text") == wanted);
    };
    check("", {});
    check("\n", {""});
    check("a\n\nb", {"a", "", "b"});
    check(
        "\xef\xbb\xbf"
        "a\r\nb\r\n",
        {"a", "b"});
    check(
        "a\n\xef\xbb\xbf"
        "b\n",
        {"a",
         "\xef\xbb\xbf"
         "b"});
}

TEST_CASE("line reader: lines longer than what is read at once, compressed or not") {
    const TempFolder folder;
    Random random("lines");
    std::vector<std::string> wanted;
    std::string text;
    for (int i = 0; i < 40; ++i) {
        wanted.emplace_back(static_cast<size_t>(random.integer(0, i < 4 ? 200000 : 9000)), 'x');
        text += wanted.back() + "\n";
    }
    spit(folder / "text", text);
    CHECK(lines_of(folder / "text") == wanted);
    for (const auto& [extension, compress] : compressors()) {
        const auto path = folder / ("text" + extension);
        spit(path, compress(text));
        CHECK(lines_of(path) == wanted);
        const std::string packed = slurp(path);
        spit(path, packed.substr(0, packed.size() / 2));
        CHECK(thrown_by([&] { lines_of(path); }).code == ExitCode::kCorrupt);
    }
    LineReader reader(folder / "text");
    std::string line;
    reader.next(line);
    reader.next(line);
    CHECK(reader.where() == (folder / "text").string() + ":2");
}
