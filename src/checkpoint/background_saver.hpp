#pragma once

#include <filesystem>
#include <future>
#include <span>
#include <vector>

#include "checkpoint/folder.hpp"
#include "checkpoint/save.hpp"

namespace polytrain {

// Saves checkpoints of a run on a thread of its own, one at a time, together with the other ranks
// of `group`, which nothing else may use; after each that is committed rank 0 removes what
// `retention` doesn't keep.
class BackgroundSaver {
  public:
    BackgroundSaver(std::filesystem::path run_folder, Retention retention, Communicator& group)
        : run_folder_(std::move(run_folder)), retention_(retention), group_(group) {}
    // Waits; what fails then is logged.
    ~BackgroundSaver();
    BackgroundSaver(const BackgroundSaver&) = delete;
    BackgroundSaver& operator=(const BackgroundSaver&) = delete;

    bool busy() const { return save_.valid(); }
    // Begins to save, as save_checkpoint(). None may be under way. The tensors must stay as they
    // are until check() or wait() told that it is done.
    void start(TrainState state, std::vector<FileContents> files);
    // Whether the save under way is done, if it is; its error is thrown, once.
    bool check();
    // Returns when no save is under way; throws its error.
    void wait();

    // Of the last save that was committed: its step (0: none), and what it took, in seconds.
    int64_t saved_step() const { return saved_step_; }
    double seconds() const { return seconds_; }

  private:
    std::filesystem::path run_folder_;
    Retention retention_;
    Communicator& group_;
    std::future<double> save_;  // its duration
    int64_t step_ = 0;          // it is of
    int64_t saved_step_ = 0;
    double seconds_ = 0;
};

}  // namespace polytrain
