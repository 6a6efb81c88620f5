#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <numeric>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/safetensors.hpp"
#include "checkpoint/save.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/file_size_limit.hpp"
#include "support/temp_folder.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

// A run folder, and something small to save in it.
struct Fixture {
    TempFolder run;
    std::vector<float> w = std::vector<float>(6);
    std::vector<Bf16> b = std::vector<Bf16>(3);
    int32_t scalar = 42;

    Fixture() {
        std::iota(w.begin(), w.end(), 0.5F);
        for (size_t i = 0; i < b.size(); ++i) b[i] = Bf16(static_cast<float>(i) - 7);
    }
    Tensor w_tensor() { return {w.data(), Shape{2, 3}, DType::kF32, Device{}}; }
    Tensor b_tensor() { return {b.data(), Shape{3}, DType::kBf16, Device{}}; }
    Tensor scalar_tensor() { return {&scalar, Shape{}, DType::kI32, Device{}}; }
    Tensor empty_tensor() { return {nullptr, Shape{0, 4}, DType::kF32, Device{}}; }

    static TrainState state(int64_t step) {
        return {step, step * 1000, step * 8, "data", "{\"seed\": 1}\n"};
    }
    void save(int64_t step) {
        scalar = static_cast<int32_t>(step);
        const FileContents files[] = {
            {"weights.safetensors", {{"w", w_tensor()}, {"e", empty_tensor()}}},
            {"optimizer.safetensors", {{"b", b_tensor()}, {"scalar", scalar_tensor()}}}};
        save_checkpoint(run.path(), state(step), files);
    }
    fs::path folder(int64_t step) { return checkpoint_folder(run.path(), step); }
    std::vector<std::string> names() {
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator(run / "checkpoints"))
            found.push_back(entry.path().filename());
        std::sort(found.begin(), found.end());
        return found;
    }
    // The step that a run would go on from (-1: none), and what was passed over.
    std::vector<PassedOver> passed_over;
    int64_t newest() {
        passed_over.clear();
        const auto checkpoint = newest_checkpoint(run.path(), passed_over);
        if (!checkpoint) return -1;
        int32_t read = 0;
        checkpoint->read("scalar", {&read, Shape{}, DType::kI32, Device{}});
        CHECK(read == checkpoint->state().step);
        return checkpoint->state().step;
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a checkpoint comes back: state and every tensor, bit for bit") {
    save(3);
    const Checkpoint checkpoint = Checkpoint::open(folder(3));
    CHECK(checkpoint.state() == state(3));
    CHECK(checkpoint.program() == POLYTRAIN_VERSION);
    REQUIRE(checkpoint.tensors().size() == 4);
    CHECK(checkpoint.tensors().at("w").shape == Shape{2, 3});
    CHECK(checkpoint.tensors().at("b").dtype == DType::kBf16);

    Fixture other;
    std::fill(other.w.begin(), other.w.end(), 0.0F);
    std::fill(other.b.begin(), other.b.end(), Bf16());
    checkpoint.read("w", other.w_tensor());
    checkpoint.read("b", other.b_tensor());
    checkpoint.read("scalar", other.scalar_tensor());
    checkpoint.read("e", other.empty_tensor());
    CHECK(other.w == w);
    for (size_t i = 0; i < b.size(); ++i) CHECK(other.b[i].bits == b[i].bits);
    CHECK(other.scalar == 3);
    CHECK(names() == std::vector<std::string>{"step-3"});

    const SafetensorsFile file(folder(3) / "weights.safetensors");  // as other programs read it
    CHECK(file.tensors().at("w").shape == Shape{2, 3});
    CHECK(file.metadata().at("format") == "pt");
}

TEST_CASE_METHOD(Fixture, "a tensor may be cut into slices in several files") {
    const auto part = [&](int64_t begin, int64_t end) {
        return TensorSlice("w", Shape{2, 3}, begin,
                           {w.data() + begin, Shape{end - begin}, DType::kF32, Device{}});
    };
    const FileContents files[] = {{"1", {part(4, 6), part(0, 1)}}, {"2", {part(1, 4), part(4, 4)}}};
    save_checkpoint(run.path(), state(1), files);
    const std::vector<float> before = w;
    std::fill(w.begin(), w.end(), 0.0F);
    Checkpoint::open(folder(1)).read("w", w_tensor());
    CHECK(w == before);

    const auto refused = [&](std::vector<TensorSlice> slices) {
        const FileContents file{"1", std::move(slices)};
        return thrown_by([&] {
                   save_checkpoint(run.path(), state(2), {&file, 1});
               }).code == ExitCode::kInternal;
    };
    CHECK(refused({part(0, 3), part(4, 6)}));
    CHECK(refused({part(0, 3), part(2, 6)}));
    CHECK(refused({{"w", w_tensor()}, part(2, 6)}));
    CHECK(names() == std::vector<std::string>{"step-1"});
}

TEST_CASE_METHOD(Fixture, "every flipped bit, every truncation and every added byte is found") {
    save(1);
    for (const char* name : {"manifest.json", "weights.safetensors", "optimizer.safetensors"}) {
        const fs::path path = folder(1) / name;
        const std::string whole = slurp(path);
        int missed = 0, unnamed = 0;
        const auto check = [&] {
            const Thrown thrown = thrown_by([&] { Checkpoint::open(folder(1)); });
            missed += thrown.code != ExitCode::kCorrupt;
            unnamed += !thrown.says(path);
        };
        for (size_t byte = 0; byte < whole.size(); ++byte) {
            for (int bit = 0; bit < 8; ++bit) {
                flip_bit(path, byte, bit);
                check();
                flip_bit(path, byte, bit);
            }
        }
        for (size_t size = 0; size < whole.size(); ++size) {
            spit(path, whole.substr(0, size));
            check();
        }
        for (const char* more : {"\n", " ", "x"}) {
            spit(path, whole + more);
            check();
        }
        spit(path, whole);
        CHECK(missed == 0);
        CHECK(unnamed == 0);
    }
    CHECK(newest() == 1);
}

TEST_CASE_METHOD(Fixture, "damage names the tensor and its bytes") {
    save(1);
    const fs::path path = folder(1) / "weights.safetensors";
    flip_bit(path, fs::file_size(path) - 1, 7);
    const Thrown thrown = thrown_by([&] { Checkpoint::open(folder(1)); });
    CHECK(thrown.says("weights.safetensors: tensor \"w\", bytes "));
}

TEST_CASE_METHOD(Fixture, "files that are gone, links, exchanged or of another step are found") {
    save(1);
    w[0] = 9;
    save(2);
    const fs::path weights = folder(2) / "weights.safetensors";
    std::string why = "was changed";
    SECTION("gone") {
        fs::remove(weights);
        why = "the manifest names this file";
    }
    SECTION("a link") {
        fs::rename(weights, run / "elsewhere");
        fs::create_symlink(run / "elsewhere", weights);
        why = "the manifest names this file";
    }
    SECTION("exchanged with the other file") {
        fs::copy_file(folder(2) / "optimizer.safetensors", weights,
                      fs::copy_options::overwrite_existing);
        why = "bytes";
    }
    SECTION("of another step") {
        fs::copy_file(folder(1) / "weights.safetensors", weights,
                      fs::copy_options::overwrite_existing);
    }
    SECTION("no manifest") {
        fs::remove(folder(2) / "manifest.json");
        CHECK(thrown_by([&] { Checkpoint::open(folder(2)); }).code == ExitCode::kInputMissing);
        why = "manifest.json";
    }
    SECTION("a whole folder under another step's name") {
        fs::remove_all(folder(2));
        fs::copy(folder(1), folder(2));
        why = "the manifest is of step 1";
    }
    CHECK(newest() == 1);
    REQUIRE(passed_over.size() == 1);
    CHECK(passed_over[0].name == "step-2");
    INFO(passed_over[0].reason);
    CHECK(passed_over[0].reason.find(why) != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "the newest that verifies is taken, by number, and nothing is removed") {
    CHECK(newest() == -1);
    for (const int64_t step : {9, 10, 100}) save(step);
    fs::create_directory(run / "checkpoints" / "step-0200");
    fs::create_directory(run / "checkpoints" / "step-200x");
    fs::create_directory(run / "checkpoints" / "step-");
    fs::create_directory(run / "checkpoints" / "notes");
    fs::create_directory(run / "checkpoints" / "step-200.tmp-1f");
    CHECK(newest() == 100);
    REQUIRE(passed_over.size() == 1);
    CHECK(passed_over[0].name == "step-200.tmp-1f");
    fs::create_directory(folder(150));
    flip_bit(folder(100) / "manifest.json", 50, 0);
    const auto before = names();
    CHECK(newest() == 10);
    REQUIRE(passed_over.size() == 3);
    CHECK(passed_over[1].name == "step-150");
    CHECK(passed_over[2].name == "step-100");
    CHECK(names() == before);
    fs::remove(folder(9) / "manifest.json");
    fs::remove(folder(10) / "manifest.json");
    CHECK(newest() == -1);
    CHECK(passed_over.size() == 5);
}

TEST_CASE_METHOD(Fixture, "a step that is saved already is left as it is") {
    save(1);
    const std::string before = slurp(folder(1) / "weights.safetensors");
    w[0] = 77;
    const Thrown thrown = thrown_by([&] { save(1); });
    CHECK(thrown.code == ExitCode::kCannotWrite);
    CHECK(thrown.says(folder(1).string() + ": this checkpoint exists already"));
    CHECK(slurp(folder(1) / "weights.safetensors") == before);
    CHECK(names() == std::vector<std::string>{"step-1"});
}

TEST_CASE_METHOD(Fixture, "a write that fails at any byte leaves the older checkpoints alone") {
    save(1);
    const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
    int64_t failed = 0;
    for (uint64_t limit = 0;; limit += 41) {
        const Thrown thrown = thrown_by([&] {
            const FileSizeLimit guard(limit);
            save(2);
        });
        if (thrown.code == ExitCode::kDone) break;
        ++failed;
        REQUIRE(thrown.code == ExitCode::kCannotWrite);
        REQUIRE(names() == std::vector<std::string>{"step-1"});
    }
    std::signal(SIGXFSZ, ignored);
    CHECK(failed > 20);
    CHECK(newest() == 2);
}

TEST_CASE_METHOD(Fixture, "a process killed at any byte leaves a folder that is passed over") {
    save(1);
    int killed = 0;
    for (uint64_t limit = 0;; limit += 199) {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            const rlimit no_core{0, 0};
            ::setrlimit(RLIMIT_CORE, &no_core);
            std::signal(SIGXFSZ, SIG_DFL);
            const FileSizeLimit guard(limit);
            save(2);
            ::_exit(0);
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        if (WIFEXITED(status)) break;
        ++killed;
        REQUIRE(WTERMSIG(status) == SIGXFSZ);
        REQUIRE(newest() == 1);
        REQUIRE(passed_over.size() == static_cast<size_t>(killed));
    }
    CHECK(killed > 5);
    CHECK(newest() == 2);  // the leftovers are in nobody's way
}

TEST_CASE_METHOD(Fixture, "a run folder that can't be written to") {
    spit(run / "file", "");
    const Thrown thrown = thrown_by([&] { save_checkpoint(run / "file", state(1), {}); });
    CHECK(thrown.code == ExitCode::kCannotWrite);
    CHECK(thrown.says(run / "file"));
}

TEST_CASE_METHOD(Fixture, "more than the disk holds is refused before anything is written") {
    // A shape of 2^60 bytes over memory that is never looked at.
    const Tensor huge{w.data(), Shape{int64_t{1} << 58}, DType::kF32, Device{}};
    const FileContents file{"weights.safetensors", {{"w", huge}}};
    const Thrown thrown = thrown_by([&] { save_checkpoint(run.path(), state(1), {&file, 1}); });
    CHECK(thrown.code == ExitCode::kCannotWrite);
    CHECK(thrown.says("1152921504607895552 bytes"));
    CHECK(names().empty());
}

TEST_CASE_METHOD(Fixture, "tensors of another model are a config error with both shapes") {
    save(1);
    const Checkpoint checkpoint = Checkpoint::open(folder(1));
    const Thrown missing = thrown_by([&] { checkpoint.read("x", w_tensor()); });
    CHECK(missing.code == ExitCode::kBadConfig);
    CHECK(missing.says("\"x\""));
    const Thrown shape = thrown_by([&] { checkpoint.read("w", w_tensor().reshaped({3, 2})); });
    CHECK(shape.code == ExitCode::kBadConfig);
    CHECK((shape.says("f32 [2, 3]") && shape.says("f32 [3, 2]")));
    Tensor as_int = w_tensor();
    as_int.dtype = DType::kI32;
    CHECK(thrown_by([&] { checkpoint.read("w", as_int); }).code == ExitCode::kBadConfig);
}

TEST_CASE_METHOD(Fixture, "file names that lead elsewhere are not written") {
    const FileContents file{GENERATE("../w", "a/b", "manifest.json"), {{"w", w_tensor()}}};
    const Thrown thrown = thrown_by([&] { save_checkpoint(run.path(), state(1), {&file, 1}); });
    CHECK(thrown.code != ExitCode::kDone);
    CHECK(names().empty());
    CHECK(!fs::exists(run / "checkpoints" / "w"));
}
