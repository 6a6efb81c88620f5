#include <cstring>
#include <numeric>
#include <optional>

#include "checkpoint/safetensors.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

std::string file_of(const std::string& header, const std::string& data,
                    std::optional<uint64_t> length = std::nullopt) {
    const uint64_t n = length.value_or(header.size());
    return std::string(reinterpret_cast<const char*>(&n), 8) + header + data;
}

}  // namespace

TEST_CASE("safetensors: what is written comes back, of every dtype and odd shapes") {
    TempFolder folder;
    const std::vector<SafetensorsEntry> tensors{
        {"u", DType::kU8, Shape{3}},           {"scalar", DType::kF64, Shape{}},
        {"empty", DType::kF32, Shape{0, 7}},   {"b \"\xc3\xa9\"", DType::kBf16, Shape{1, 5}},
        {"i", DType::kI32, Shape{2, 1, 1, 2}}, {"f", DType::kF32, Shape{2, 3}}};
    std::string data(3 + 8 + 10 + 16 + 24, '\0');
    std::iota(data.begin(), data.end(), '\1');
    SafetensorsWriter writer(folder / "x", tensors, {{"format", "pt"}});
    const char* next = data.data();
    for (const SafetensorsEntry& entry : writer.tensors()) {
        writer.write(next, entry.end - entry.begin);
        next += entry.end - entry.begin;
    }
    writer.commit();
    CHECK(slurp(folder / "x") == writer.header() + data);
    CHECK(writer.header().size() % 8 == 0);

    const SafetensorsFile file(folder / "x");
    CHECK(file.metadata() == std::map<std::string, std::string>{{"format", "pt"}});
    REQUIRE(file.tensors().size() == tensors.size());
    std::string read;
    for (const SafetensorsEntry& entry : tensors) {
        const SafetensorsEntry& found = file.tensors().at(entry.name);
        CHECK(found.dtype == entry.dtype);
        CHECK(found.shape == entry.shape);
        const auto bytes = file.bytes(found);
        read.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    CHECK(read == data);
}

TEST_CASE("safetensors: a file without tensors") {
    TempFolder folder;
    SafetensorsWriter(folder / "x", {}).commit();
    CHECK(SafetensorsFile(folder / "x").tensors().empty());
    CHECK(thrown_by([&] { SafetensorsFile f(folder / "y"); }).code == ExitCode::kInputMissing);
}

TEST_CASE("safetensors: the writer holds the caller to what was announced") {
    TempFolder folder;
    const auto internal = [](auto call) { return thrown_by(call).code == ExitCode::kInternal; };
    const std::vector<SafetensorsEntry> one{{"a", DType::kU8, Shape{2}}};
    CHECK(internal([&] { SafetensorsWriter(folder / "1", one).commit(); }));
    CHECK(internal([&] { SafetensorsWriter(folder / "2", one).write("abc", 3); }));
    CHECK(internal([&] { SafetensorsWriter(folder / "3", {one[0], one[0]}); }));
    CHECK(internal([&] {
        SafetensorsWriter(folder / "4", {{"__metadata__", DType::kU8, Shape{1}}});
    }));
    CHECK(thrown_by([&] { SafetensorsWriter(folder / "1", one); }).code ==
          ExitCode::kCannotWrite);  // it exists
}

TEST_CASE("safetensors: hostile headers are refused with the path and the reason") {
    TempFolder folder;
    const auto path = folder / "x";
    const auto accepted = [&](const std::string& content) {
        spit(path, content);
        return thrown_by([&] { SafetensorsFile file(path); }).code == ExitCode::kDone;
    };
    const auto refused = [&](const std::string& content, const std::string& why) {
        spit(path, content);
        const Thrown thrown = thrown_by([&] { SafetensorsFile file(path); });
        INFO(thrown.message);
        CHECK(thrown.code == ExitCode::kCorrupt);
        CHECK(thrown.says(path));
        CHECK(thrown.says(why));
    };
    const std::string good = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
    const auto with = [](const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
        return R"({"a":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" +
               offsets + "}}";
    };
    const auto two = [](const std::string& first, const std::string& second) {
        return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + first +
               R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + second + "}}";
    };
    CHECK(accepted(file_of(good, "abcd")));
    CHECK(accepted(file_of(good + "   ", "abcd")));
    CHECK(accepted(file_of(two("[2,4]", "[0,2]"), "abcd")));

    SECTION("lengths") {
        refused("", "cannot hold a header");
        refused(std::string(7, '\0'), "cannot hold a header");
        refused(file_of(good, "abcd", 0), "does not start with {");
        refused(file_of(good, "", good.size() + 1), "header's length at byte 0");
        refused(file_of(good, "abcd", UINT64_MAX), "header's length at byte 0");
        refused(file_of(good, "abcd", UINT64_MAX - 7), "header's length at byte 0");
        refused(file_of("{" + std::string(16 << 20, ' ') + "}", ""), "header's length at byte 0");
    }
    SECTION("JSON") {
        refused(file_of(" " + good, "abcd"), "does not start with {");
        refused(file_of("[1]", ""), "does not start with {");
        refused(file_of(good + "x", "abcd"), "not valid JSON");
        refused(file_of(std::string(R"({"a":)") + std::string(100000, '['), ""), "nested");
        refused(file_of(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)" + good.substr(1),
                        "abcd"),
                "\"a\" appears twice");
        refused(
            file_of(R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})", ""),
            "\"dtype\" appears twice");
    }
    SECTION("records") {
        refused(file_of(R"({"a":[]})", ""), "its record is not");
        refused(file_of(R"({"a":{"dtype":"U8","shape":[4]}})", "abcd"), "its record is not");
        refused(file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1}})", "abcd"),
                "its record is not");
        refused(file_of(with("\"U16\"", "[2]", "[0,4]"), "abcd"), "unknown dtype");
        refused(file_of(with("3", "[2]", "[0,4]"), "abcd"), "unknown dtype");
        for (const char* shape : {"4", "[-4]", "[4.0]", "[\"4\"]", "[1,1,1,1,4]", "null"})
            refused(file_of(with("\"U8\"", shape, "[0,4]"), "abcd"), "no possible shape");
        for (const char* shape : {"[9223372036854775808]", "[4294967296,4294967296]",
                                  "[4611686018427387904]", "[18446744073709551615,0]"})
            refused(file_of(with("\"F32\"", shape, "[0,4]"), "abcd"), "no possible shape");
        for (const char* offsets : {"4", "[0]", "[0,4,4]", "[-1,4]", "[0.0,4]", "[\"0\",4]"})
            refused(file_of(with("\"U8\"", "[4]", offsets), "abcd"), "not two positions");
        for (const char* offsets : {"[0,5]", "[4,0]", "[18446744073709551615,4]",
                                    "[18446744073709551612,18446744073709551615]"})
            refused(file_of(with("\"U8\"", "[4]", offsets), "abcd"), "not inside the file");
        refused(file_of(with("\"U8\"", "[3]", "[0,4]"), "abcd"), "do not fit");
        refused(file_of(with("\"F32\"", "[4]", "[0,4]"), "abcd"), "do not fit");
    }
    SECTION("layout") {
        refused(file_of(two("[0,2]", "[3,5]"), "abcde"), "hole");
        refused(file_of(two("[0,2]", "[1,3]"), "abcd"), "overlap");
        refused(file_of(two("[0,2]", "[0,2]"), "ab"), "overlap");
        refused(file_of(two("[1,3]", "[3,5]"), "abcde"), "hole");
        refused(file_of(good, "abcde"), "end at byte");
        refused(file_of("{}", "a"), "end at byte");
    }
    SECTION("metadata") {
        CHECK(accepted(file_of(R"({"__metadata__":{"k":"v"}})", "")));
        refused(file_of(R"({"__metadata__":{"k":1}})", ""), "\"k\" is not a string");
        refused(file_of(R"({"__metadata__":"v"})", ""), "not an object");
    }
}
