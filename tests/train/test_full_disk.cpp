// Saves on a disk of every size, from one that holds nothing to one that holds all. A small file
// system is mounted for it, which only root may do.

#include <sys/mount.h>

#include "support/thrown.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

// A file system of its own in memory; `mounted` tells whether there is one.
class SmallDisk {
  public:
    SmallDisk(const fs::path& path, const std::string& options) : path_(path) {
        fs::create_directories(path);
        mounted = ::mount("tmpfs", path.c_str(), "tmpfs", 0, options.c_str()) == 0;
    }
    ~SmallDisk() {
        if (mounted) ::umount2(path_.c_str(), MNT_DETACH);
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    void grow() const {
        REQUIRE(::mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT, "size=64m,nr_inodes=1000") ==
                0);
    }
    bool mounted = false;

  private:
    fs::path path_;
};

// Trains on disks made with options(0), options(1), ... until one is large enough; each that isn't
// grows then, and the run goes on. Returns how many were too small, and how many of these held a
// checkpoint.
template <class Options>
std::pair<int, int> failures(const Options& options) {
    RunConfig config = tiny_config();
    config.train.steps = 6;
    config.train.checkpoint_every = 2;
    config.train.eval_sequences = 3;
    const TempFolder folder;
    train_with(config, folder / "whole", 2);
    int with_checkpoint = 0;
    for (int i = 0;; ++i) {
        INFO("a disk of " << options(i));
        config.train.checkpoint_failure = i % 2 == 0 ? "stop" : "continue";
        const SmallDisk disk(folder / "disk", options(i));
        if (!disk.mounted) {
            WARN("SKIPPED: cannot mount a file system here (needs root): full disks are untested");
            return {-1, -1};
        }
        const fs::path run = folder / "disk/run";
        const Thrown thrown = thrown_by([&] { train_with(config, run, 2); });
        if (thrown.code == ExitCode::kDone) return {i, with_checkpoint};
        INFO(thrown.message);
        REQUIRE(thrown.code == ExitCode::kCannotWrite);
        REQUIRE(thrown.says(folder / "disk"));
        std::vector<PassedOver> passed_over;
        const auto newest = newest_checkpoint(run, passed_over);
        REQUIRE(passed_over.empty());
        with_checkpoint += newest.has_value();
        for (const std::string& name : names_in_checkpoints(run))
            REQUIRE_NOTHROW(Checkpoint::open(run / "checkpoints" / name));
        disk.grow();
        REQUIRE(train_with(config, run, 2, true).step == 6);
        REQUIRE(same_checkpoint(checkpoint_folder(run, 6), checkpoint_folder(folder / "whole", 6)));
    }
}

}  // namespace

TEST_CASE("full disk: at every size nothing that was saved is lost, and more room is enough") {
    const auto [failed, with_checkpoint] =
        failures([](int i) { return fmt::format("size={}k", 64 * (i + 1)); });
    CHECK((failed == -1 || failed > 4));
    CHECK((failed == -1 || with_checkpoint > 1));
}

TEST_CASE("full disk: so it is where files and folders, not bytes, are used up") {
    const auto [failed, with_checkpoint] =
        failures([](int i) { return fmt::format("size=64m,nr_inodes={}", i + 1); });
    CHECK((failed == -1 || failed > 10));
    CHECK((failed == -1 || with_checkpoint > 4));
}
