#include <pthread.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <thread>

#include "support/catch.hpp"
#include "train/deadline.hpp"
#include "train/stop_signals.hpp"

using namespace polytrain;

TEST_CASE("stop signals: the first is noted, an ignored one is not, and all is as before then") {
    const auto blocked = [] {
        sigset_t now;
        ::pthread_sigmask(SIG_BLOCK, nullptr, &now);
        return std::array<int, 3>{::sigismember(&now, SIGTERM), ::sigismember(&now, SIGINT),
                                  ::sigismember(&now, SIGUSR1)};
    };
    const auto before = blocked();
    const auto ignore_before = std::signal(SIGINT, SIG_IGN);
    {
        const StopSignals signals;
        CHECK(signals.caught() == 0);
        ::kill(::getpid(), SIGINT);
        ::kill(::getpid(), SIGUSR1);
        for (int i = 0; i < 5000 && signals.caught() == 0; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        REQUIRE(signals.caught() != 0);
        CHECK(StopSignals::name(signals.caught()) == std::string("SIGUSR1"));
    }
    CHECK(blocked() == before);
    std::signal(SIGINT, ignore_before);
    const StopSignals again;
    CHECK(again.caught() == 0);  // nothing is left of the run before
}

TEST_CASE("deadline: near when a step, an evaluation and a save may not fit any more") {
    Deadline none(0);
    none.step_took(1e9);
    CHECK_FALSE(none.is_near(true, 2));
    Deadline deadline(1000);
    deadline.step_took(100);
    deadline.step_took(1);
    CHECK_FALSE(deadline.is_near(true, 1));
    deadline.save_took(898);
    CHECK_FALSE(deadline.is_near(true, 1));
    deadline.evaluation_took(5);  // 100 + 898 + 5
    CHECK(deadline.is_near(true, 1));
    CHECK_FALSE(deadline.is_near(false, 1));
    CHECK(deadline.is_near(false, 2));
    for (int i = 0; i < 16; ++i) deadline.step_took(2);  // 100 is not recent any more
    CHECK_FALSE(deadline.is_near(true, 1));
    Deadline over(1e-6);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK(over.is_near(false, 1));
    CHECK(over.left() == 0);
}
