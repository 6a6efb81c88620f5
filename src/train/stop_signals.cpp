#include "train/stop_signals.hpp"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace polytrain {
namespace {

constexpr std::array<std::pair<int, const char*>, 3> kSignals{
    {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGUSR1, "SIGUSR1"}}};

bool is_ignored(int signal) {
    struct sigaction action {};
    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

StopSignals::StopSignals() {
    ::sigemptyset(&watched_);
    for (const auto& [number, name] : kSignals) {
        if (is_ignored(number)) continue;
        ::sigaddset(&watched_, number);
        wake_ = number;
    }
    ::pthread_sigmask(SIG_BLOCK, &watched_, &before_);
    if (wake_ != 0) thread_ = std::thread([this] { watch(); });
}

StopSignals::~StopSignals() {
    if (thread_.joinable()) {
        stop_ = true;
        ::pthread_kill(thread_.native_handle(), wake_);
        thread_.join();
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void StopSignals::watch() {
    int signal = 0;
    while (::sigwait(&watched_, &signal) == 0 && !stop_) {
        int none = 0;
        if (!noted_.compare_exchange_strong(none, signal)) ::_exit(128 + signal);
    }
}

const char* StopSignals::name(int signal) {
    for (const auto& [number, name] : kSignals)
        if (number == signal) return name;
    return "a signal";
}

}  // namespace polytrain
