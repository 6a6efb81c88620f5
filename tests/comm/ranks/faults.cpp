// Ranks that stop, hang, disagree or fail; the rank that does so is the last.

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "comm/mpi/mpi_world.hpp"
#include "comm/run_on_rank.hpp"
#include "core/clock.hpp"
#include "core/report_exception.hpp"
#include "ranks.hpp"
#include "train/stop_signals.hpp"

namespace ranks {
namespace {

using namespace polytrain;

constexpr double kTimeout = 2;

void sleep(double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

bool is_culprit(World& world) {
    return world.rank() == world.size() - 1;
}

// Two calls at step 6, then step 7.
std::unique_ptr<World> open_at_step_7() {
    auto world = open_mpi_world();
    world->set_timeout(kTimeout);
    world->set_step(6);
    barrier(world->all(), "first");
    barrier(world->all(), "second");
    world->set_step(7);
    return world;
}

// Each rank sends every rank `bytes`, and expects `expected`.
void exchange(Communicator& group, int64_t bytes, int64_t expected) {
    const auto own = static_cast<size_t>(group.rank());
    std::vector<int64_t> send{0}, receive{0};
    for (size_t i = 0; i < static_cast<size_t>(group.size()); ++i) {
        send.push_back(send.back() + (i == own ? 0 : bytes));
        receive.push_back(receive.back() + (i == own ? 0 : expected));
    }
    std::vector<char> from(static_cast<size_t>(send.back())),
        to(static_cast<size_t>(receive.back()));
    group
        .all_to_all(from.data(), ranges_of(send), to.data(), ranges_of(receive),
                    "layers.3.moe rows")
        .wait();
}

// fault KIND [TRACE_FOLDER]: what the last rank does while others are in an all_to_all.
int fault(const std::vector<std::string>& arguments) {
    const std::string& kind = arguments.at(1);
    const auto world = open_at_step_7();
    if (arguments.size() > 2) world->set_trace_folder(arguments[2]);
    if (is_culprit(*world)) {
        if (kind == "stop") std::raise(SIGSTOP);
        if (kind == "kill") std::raise(SIGKILL);
        if (kind == "hang") sleep(1000);
        if (kind == "other") {
            int64_t ids[4]{};
            world->all().broadcast(ids, sizeof ids, 0, "ids").wait();
        }
        if (kind == "long") exchange(world->all(), 5000, 1000);  // beyond what MPI sends at once
        if (kind == "short") exchange(world->all(), 500, 1000);
    }
    exchange(world->all(), 1000, 1000);
    return 0;
}

// chain: the last rank hangs; the one before waits for it in a group of the two, and all others for
// that one.
int chain(const std::vector<std::string>&) {
    const auto world = open_at_step_7();
    const bool of_pair = world->rank() >= world->size() - 2;
    const auto pair = world->split(of_pair ? 1 : 0, of_pair ? "pair" : "rest", false);
    const auto crowd = world->split(is_culprit(*world) ? 1 : 0, "crowd", false);
    if (is_culprit(*world)) sleep(1000);
    if (of_pair) {
        sleep(0.3);
        barrier(*pair, "of the pair");
    }
    barrier(*crowd, "of the crowd");
    return 0;
}

// patient SECONDS: the last rank comes that late to a patient group's call; below 0 it stops.
int patient(const std::vector<std::string>& arguments) {
    const double late = std::stod(arguments.at(1));
    const auto world = open_at_step_7();
    const auto disk = world->split(0, "disk", true);
    if (is_culprit(*world)) {
        if (late < 0) std::raise(SIGSTOP);
        sleep(late);
    }
    barrier(*disk, "saved");
    return 0;
}

// endless: calls for ever. Says "ready" when it began.
int endless(const std::vector<std::string>&) {
    const auto world = open_at_step_7();
    if (world->rank() == 0) std::cout << "ready" << std::endl;
    while (true) exchange(world->all(), 1000, 1000);
}

// late SECONDS TIMEOUT: the same in a group that is not.
int late(const std::vector<std::string>& arguments) {
    const auto world = open_at_step_7();
    world->set_timeout(std::stod(arguments.at(2)));
    if (is_culprit(*world)) sleep(std::stod(arguments.at(1)));
    barrier(world->all(), "late");
    return 0;
}

// abort CODE: the last rank ends the job.
int abort(const std::vector<std::string>& arguments) {
    const auto world = open_at_step_7();
    if (is_culprit(*world)) world->abort(static_cast<ExitCode>(std::stoi(arguments.at(1))));
    exchange(world->all(), 1000, 1000);
    return 0;
}

// fail CODE all|last: an error on all ranks, or on the last, with a call under way.
int fail(const std::vector<std::string>& arguments) {
    const auto code = static_cast<ExitCode>(std::stoi(arguments.at(1)));
    const bool all = arguments.at(2) == "all";
    try {
        const auto world = open_at_step_7();
        run_on_rank(
            *world,
            [&] {
                if (all || is_culprit(*world)) {
                    std::vector<int64_t> values(1000);
                    const Pending pending = world->all().all_reduce(
                        {values.data(), Shape{1000}, DType::kI64, {}}, Reduce::kSum, "under way");
                    if (code == ExitCode::kRequeue)
                        while (!pending.done()) sleep(0.001);
                    throw Error(code, "as it was told");
                }
                exchange(world->all(), 1000, 1000);
            },
            [] { return false; });
    } catch (...) {
        return static_cast<int>(report_exception());
    }
    return 0;
}

// signals FILE: returns 75 when SIGUSR1 came. Says "ready" when it may.
int signals(const std::vector<std::string>&) {
    const StopSignals stop;
    const auto world = open_at_step_7();
    barrier(world->all(), "ready");
    if (world->rank() == 0) std::cout << "ready" << std::endl;
    while (stop.caught() == 0) sleep(0.01);
    std::cout << StopSignals::name(stop.caught()) << std::endl;
    return static_cast<int>(ExitCode::kRequeue);
}

// idle: prints the processor time of a second without calls, in percent.
int idle(const std::vector<std::string>&) {
    const auto world = open_at_step_7();
    const auto used = [] {
        rusage usage{};
        ::getrusage(RUSAGE_SELF, &usage);
        return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    };
    const Stopwatch clock;
    const double before = used();
    sleep(2);
    std::cout << 100 * (used() - before) / clock.seconds() << std::endl;
    return 0;
}

}  // namespace

Cases fault_cases() {
    return {{"fault", fault}, {"chain", chain},     {"patient", patient},
            {"late", late},   {"endless", endless}, {"abort", abort},
            {"fail", fail},   {"signals", signals}, {"idle", idle}};
}

}  // namespace ranks
