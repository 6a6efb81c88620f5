#include "comm/mpi/engine.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "core/log.hpp"

namespace polytrain {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// How the thread rests: with nothing to do; while nobody waits for what is under way, so that
// computing keeps its core; and where somebody waits, but nothing has come for a while.
constexpr auto kIdle = milliseconds(25);
constexpr auto kNobodyWaits = microseconds(150);
constexpr auto kLongWait = microseconds(50);
constexpr double kLongWaitAfter = 0.01;
// Pings are looked for this often while calls are under way.
constexpr double kPingPeriod = 0.005;
// The thread's life goes on by no more than this between two looks at the clock.
constexpr double kLongestLook = 0.1;
// MPI may never return from an abort whose messages nobody takes.
constexpr auto kAbortLimit = std::chrono::seconds(2);

}  // namespace

Engine::Engine(int64_t chunk) : chunk_(chunk) {
    thread_ = std::thread([this] { serve(); });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ready_; });
    if (failure_) {
        lock.unlock();
        thread_.join();
        std::rethrow_exception(failure_);
    }
}

Engine::~Engine() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = orders_ = true;
    }
    woken_.notify_one();
    thread_.join();
}

std::shared_ptr<MpiOperation> Engine::post(const std::shared_ptr<Group>& group, Call call,
                                           MpiOperation::Start start) {
    auto shared = std::make_shared<Call>(std::move(call));
    auto operation = std::make_shared<MpiOperation>(*this, group, shared, std::move(start));
    shared->group = group->id;
    shared->group_name = group->name;
    shared->step = step_;
    {
        const std::lock_guard lock(mutex_);
        shared->sequence = group->calls++;
        shared->enqueued = clock_.seconds();
        posted_.push_back(operation);
        orders_ = true;
    }
    woken_.notify_one();
    return operation;
}

void Engine::begin_wait() {
    ++waiting_;
    { const std::lock_guard lock(mutex_); }  // not between the thread's look and its rest
    woken_.notify_one();
}

void Engine::freeze() {
    std::unique_lock lock(mutex_);
    freeze_ = orders_ = true;
    woken_.notify_one();
    changed_.wait_for(lock, kAbortLimit, [this] { return frozen_; });
}

void Engine::abort(ExitCode code) {
    std::fflush(stderr);
    {
        const std::lock_guard lock(mutex_);
        abort_ = code;
        orders_ = true;
    }
    woken_.notify_one();
    std::this_thread::sleep_for(2 * kAbortLimit);
    ::_exit(static_cast<int>(code));
}

void Engine::set_trace_folder(std::filesystem::path folder) {
    const std::lock_guard lock(mutex_);
    trace_folder_ = std::move(folder);
}

void Engine::serve() {
    try {
        open();
    } catch (const std::exception& error) {
        failure_ = std::make_exception_ptr(
            Error(ExitCode::kInternal, fmt::format("cannot start MPI: {}", error.what())));
    }
    {
        const std::lock_guard lock(mutex_);
        ready_ = true;
    }
    changed_.notify_all();
    if (failure_) return;
    try {
        loop();
        close();
    } catch (const std::exception& error) {
        if (current_ == nullptr) end_job(ExitCode::kInternal, error.what());
        const Call& call = current_->call();
        end_job(ExitCode::kInternal,
                fmt::format("rank {}: {}, {}, step {}: {}", all_->rank, call.what(), call.where(),
                            call.step, error.what()));
    }
}

void Engine::open() {
    int provided = 0;
    mpi_check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    if (provided < MPI_THREAD_FUNNELED) throw MpiError("it knows no threads");
    MPI_Comm world = MPI_COMM_NULL, machine = MPI_COMM_NULL;
    mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &world), "MPI_Comm_dup");
    all_ = std::make_shared<Group>(describe_group(0, "all", false, world));
    mpi_check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, all_->rank, MPI_INFO_NULL,
                                  &machine),
              "MPI_Comm_split_type");
    mpi_check(MPI_Comm_rank(machine, &local_rank_), "MPI_Comm_rank");
    mpi_check(MPI_Comm_size(machine, &local_size_), "MPI_Comm_size");
    MPI_Comm_free(&machine);
    void* most = nullptr;
    int found = 0;
    mpi_check(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &most, &found), "MPI_Comm_get_attr");
    constexpr int kLeastUpperBound = 32767;  // that MPI promises
    most_tag_ = found != 0 ? *static_cast<int*>(most) : kLeastUpperBound;
    open_control();
}

void Engine::open_control() {
    mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &control_), "MPI_Comm_dup");
    mpi_check(MPI_Comm_set_errhandler(control_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    std::array<char, 64> host{};
    ::gethostname(host.data(), host.size() - 1);
    std::vector<std::array<char, 64>> hosts(all_->world_ranks.size());
    mpi_check(MPI_Allgather(host.data(), sizeof host, MPI_BYTE, hosts.data(), sizeof host, MPI_BYTE,
                            control_),
              "MPI_Allgather");
    std::vector<std::string> names;
    for (const auto& name : hosts) names.emplace_back(name.data());
    pinger_ = std::make_unique<Pinger>(control_, log_);
    watchdog_ = std::make_unique<Watchdog>(*pinger_, log_, std::move(names));
}

void Engine::loop() {
    while (true) {
        for (const auto& operation : take_orders()) start(operation);
        progress();
        watch();
        {
            const std::lock_guard lock(mutex_);
            if (stop_ && posted_.empty() && in_flight_.empty()) return;
        }
        rest();
    }
}

void Engine::close() {
    pinger_.reset();
    mpi_check(MPI_Finalize(), "MPI_Finalize");
}

std::vector<std::shared_ptr<MpiOperation>> Engine::take_orders() {
    std::unique_lock lock(mutex_);
    if (freeze_ && !frozen_) {
        frozen_ = true;
        changed_.notify_all();
    }
    if (frozen_) woken_.wait(lock, [this] { return abort_.has_value(); });
    if (abort_) {
        const ExitCode code = *abort_;
        lock.unlock();
        end_job(code, "");
    }
    orders_ = false;
    return std::exchange(posted_, {});
}

void Engine::start(const std::shared_ptr<MpiOperation>& operation) {
    current_ = operation.get();
    log_.add(operation->shared_call());
    operation->call().started = progressed_ = clock_.seconds();
    operation->watched_since = life_;
    operation->begin(most_tag_, chunk_);
    in_flight_.push_back(operation);
    current_ = nullptr;
}

void Engine::progress() {
    const auto complete = [this](const std::shared_ptr<MpiOperation>& operation) {
        current_ = operation.get();
        if (!operation->test()) return false;
        progressed_ = operation->call().ended = clock_.seconds();
        operation->finish();
        return true;
    };
    std::erase_if(in_flight_, complete);
    current_ = nullptr;
}

void Engine::watch() {
    const double now = clock_.seconds();
    life_ += std::min(now - seen_, kLongestLook);
    seen_ = now;
    if (!in_flight_.empty() && now - polled_ < kPingPeriod) return;
    polled_ = now;
    pinger_->poll(life_, step_, waiting_ > 0);
    const double timeout = timeout_;
    std::vector<int> seen;
    for (const auto& operation : in_flight_) {  // the oldest of each group
        const Group& group = operation->group();
        if (std::find(seen.begin(), seen.end(), group.id) != seen.end()) continue;
        seen.push_back(group.id);
        const auto verdict = watchdog_->judge(
            {&operation->call(), &group, operation->watched_since}, timeout, life_);
        if (verdict) end_job(verdict->code, verdict->message);
    }
}

void Engine::rest() {
    std::unique_lock lock(mutex_);
    if (orders_) return;
    if (in_flight_.empty()) {
        woken_.wait_for(lock, kIdle, [this] { return orders_; });
    } else if (waiting_ == 0) {
        woken_.wait_for(lock, kNobodyWaits, [this] { return orders_ || waiting_ > 0; });
    } else {
        lock.unlock();
        if (clock_.seconds() - progressed_ < kLongWaitAfter)
            ::sched_yield();
        else
            std::this_thread::sleep_for(kLongWait);
    }
}

void Engine::end_job(ExitCode code, const std::string& message) {
    if (!message.empty()) {
        log::error_line(message);
        std::filesystem::path folder;
        {
            const std::lock_guard lock(mutex_);
            folder = trace_folder_;
        }
        if (!folder.empty()) log_.write(folder, all_->rank, message);
    }
    std::fflush(stderr);
    std::thread([code] {
        std::this_thread::sleep_for(kAbortLimit);
        ::_exit(static_cast<int>(code));
    }).detach();
    MPI_Abort(MPI_COMM_WORLD, static_cast<int>(code));
    ::_exit(static_cast<int>(code));
}

}  // namespace polytrain
