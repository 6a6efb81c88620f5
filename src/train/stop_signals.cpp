#include "train/stop_signals.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <utility>

#include "core/error.hpp"

namespace polytrain {
namespace {

constexpr std::array<std::pair<int, const char*>, 3> kSignals{
    {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGUSR1, "SIGUSR1"}}};

// A handler can reach nothing but globals.
std::atomic<int> noted_signal{0};
std::atomic<bool> installed{false};
std::array<struct sigaction, kSignals.size()> previous;
static_assert(std::atomic<int>::is_always_lock_free, "used in a signal handler");

extern "C" void note_signal(int signal) {
    int none = 0;
    if (!noted_signal.compare_exchange_strong(none, signal)) ::_exit(128 + signal);
}

}  // namespace

StopSignals::StopSignals() {
    PT_CHECK(!installed.exchange(true), "two runs at a time");
    noted_signal = 0;
    struct sigaction action {};
    action.sa_handler = note_signal;
    action.sa_flags = SA_RESTART;
    for (size_t i = 0; i < kSignals.size(); ++i) {
        ::sigaction(kSignals[i].first, nullptr, &previous[i]);
        if (previous[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i].first, &action, nullptr);
    }
}

StopSignals::~StopSignals() {
    for (size_t i = 0; i < kSignals.size(); ++i)
        ::sigaction(kSignals[i].first, &previous[i], nullptr);
    installed = false;
}

const char* StopSignals::caught() const {
    const int signal = noted_signal;
    for (const auto& [number, name] : kSignals)
        if (number == signal) return name;
    return nullptr;
}

}  // namespace polytrain
