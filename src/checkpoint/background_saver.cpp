#include "checkpoint/background_saver.hpp"

#include <chrono>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace polytrain {

BackgroundSaver::~BackgroundSaver() {
    try {
        wait();
    } catch (const std::exception& error) {
        log::warn("the last checkpoint was not saved: {}", error.what());
    }
}

void BackgroundSaver::start(TrainState state, std::vector<FileContents> files) {
    PT_CHECK(!busy(), "two saves at a time");
    step_ = state.step;
    save_ = std::async(std::launch::async,
                       [folder = run_folder_, retention = retention_, &group = group_,
                        state = std::move(state), files = std::move(files)] {
                           const Stopwatch watch;
                           save_checkpoint(folder, state, files, group);
                           const double seconds = watch.seconds();
                           if (group.rank() == 0) remove_old_checkpoints(folder, retention);
                           return seconds;
                       });
}

bool BackgroundSaver::check() {
    const bool done =
        busy() && save_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    if (done) wait();
    return done;
}

void BackgroundSaver::wait() {
    if (!busy()) return;
    seconds_ = save_.get();
    saved_step_ = step_;
}

}  // namespace polytrain
