#include "checkpoint/manifest.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// Tensor "w" of 2 x 3 f32 in two slices in two files, and an empty tensor "e".
Manifest two_slices() {
    const Shape shape{2, 3};
    Manifest manifest{"0.1.0", {7, 70, 12, "data", "{}"}, {}};
    manifest.files.push_back({"a", 24, 8, "h", {{"w", DType::kF32, shape, 2, 6, 8, 24, "h"}}});
    manifest.files.push_back({"b",
                              18,
                              10,
                              "h",
                              {{"w", DType::kF32, shape, 0, 2, 10, 18, "h"},
                               {"e", DType::kBf16, Shape{0, 4}, 0, 0, 18, 18, "h"}}});
    return manifest;
}

}  // namespace

TEST_CASE("a manifest comes back as it was") {
    TempFolder folder;
    const Manifest manifest = two_slices();
    CHECK(manifest_problem(manifest).empty());
    spit(folder / "m", manifest_text(manifest));
    const Manifest read = read_manifest(folder / "m");
    CHECK(manifest_text(read) == manifest_text(manifest));
    CHECK(read.state == manifest.state);
    REQUIRE(read.files.size() == 2);
    CHECK(read.files[1].slices[1].shape == Shape{0, 4});
    CHECK(read.files[1].slices[1].dtype == DType::kBf16);
}

TEST_CASE("a manifest that was sealed but can't be true is refused") {
    TempFolder folder;
    Manifest manifest = two_slices();
    Manifest::File &a = manifest.files[0], &b = manifest.files[1];
    std::string why;
    SECTION("file names that lead elsewhere") {
        a.name = GENERATE("", ".", "..", "../a", "/etc/passwd", "x/y", "x\\y", "manifest.json");
        why = "not a plain file name";
    }
    SECTION("a file twice") {
        b.name = "a";
        why = "a is there twice";
    }
    SECTION("negative counters") {
        (GENERATE(0, 1, 2) == 0 ? manifest.state.step : manifest.state.next_sample) = -1;
        why = "negative counters";
    }
    SECTION("a header larger than its file") {
        a.header_bytes = 25;
        why = "25";
    }
    SECTION("bytes that no slice has, at the start, between and at the end") {
        b.header_bytes = 9;
        why = "do not follow byte 9";
    }
    SECTION("a hole between slices") {
        b.slices[1].byte_begin = b.slices[1].byte_end = b.bytes = 20;
        why = "do not follow byte 18";
    }
    SECTION("bytes after the last slice") {
        b.bytes = 19;
        why = "end at byte 18 of 19";
    }
    SECTION("a slice past the file's end") {
        a.bytes = 23;
        why = "do not follow";
    }
    SECTION("bytes that do not fit the elements") {
        a.slices[0].end = 5;
        why = "do not follow";
    }
    SECTION("elements outside the tensor") {
        a.slices[0].begin = 3;
        a.slices[0].end = 7;
        why = "elements 3 to 7 of 6";
    }
    SECTION("elements backwards") {
        a.slices[0].begin = 6;
        a.slices[0].end = 2;
        why = "elements 6 to 2";
    }
    SECTION("elements there twice") {
        a.slices[0].begin = 1;
        a.slices[0].end = 5;
        why = "elements 1 to 2 are there twice";
    }
    SECTION("elements missing between slices") {
        b.slices[0].shape = a.slices[0].shape = Shape{7};
        a.slices[0].begin = 3;
        a.slices[0].end = 7;
        why = "elements 2 to 3 are missing";
    }
    SECTION("elements missing at the end") {
        b.slices[0].shape = a.slices[0].shape = Shape{7};
        why = "elements 6 to 7 are missing";
    }
    SECTION("slices that disagree about the shape") {
        b.slices[0].shape = Shape{3, 2};
        why = "different dtypes or shapes";
    }
    SECTION("slices that disagree about the dtype") {
        b.slices[0].dtype = DType::kI32;
        why = "different dtypes or shapes";
    }
    spit(folder / "m", manifest_text(manifest));
    const Thrown thrown = thrown_by([&] { read_manifest(folder / "m"); });
    INFO(thrown.message);
    CHECK(thrown.code == ExitCode::kCorrupt);
    CHECK(thrown.says(folder / "m"));
    CHECK(thrown.says(why));
}
