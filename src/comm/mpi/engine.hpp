#pragma once
// Engine: the one thread of this process that calls MPI. Callers post operations; the thread starts
// them in order, gets on with them, answers the pings of other ranks, and watches over calls that
// take too long.

#include <atomic>
#include <condition_variable>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "comm/mpi/call_log.hpp"
#include "comm/mpi/group.hpp"
#include "comm/mpi/operation.hpp"
#include "comm/mpi/pinger.hpp"
#include "comm/mpi/watchdog.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"

namespace polytrain {

class Engine {
  public:
    // Starts MPI. `chunk`: the most bytes of one message.
    explicit Engine(int64_t chunk);
    // Ends MPI, when all that was posted is done.
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Calls `start` in the thread, after those that were posted before. `call` says what it is;
    // group, sequence number, step and times are filled in here.
    std::shared_ptr<MpiOperation> post(const std::shared_ptr<Group>& group, Call call,
                                       MpiOperation::Start start);

    // A caller begins, and ends, to wait for an operation.
    void begin_wait();
    void end_wait() { --waiting_; }
    // From now on the thread touches no buffer, and calls MPI only to abort: for a process about to
    // end by an exception, whose buffers go before it does.
    void freeze();
    [[noreturn]] void abort(ExitCode code);

    // The whole world.
    const std::shared_ptr<Group>& all() const { return all_; }
    int local_rank() const { return local_rank_; }
    int local_size() const { return local_size_; }
    void set_step(int64_t step) { step_ = step; }
    int64_t step() const { return step_; }
    double timeout() const { return timeout_; }
    void set_timeout(double seconds) { timeout_ = seconds; }
    void set_trace_folder(std::filesystem::path folder);

  private:
    void serve();
    void open();
    void open_control();
    void loop();
    void close();
    std::vector<std::shared_ptr<MpiOperation>> take_orders();
    void start(const std::shared_ptr<MpiOperation>& operation);
    void progress();
    void watch();
    void rest();
    [[noreturn]] void end_job(ExitCode code, const std::string& message);

    const int64_t chunk_;
    const Stopwatch clock_;
    std::atomic<int64_t> step_{0};
    std::atomic<double> timeout_{0};
    std::atomic<int> waiting_{0};

    std::mutex mutex_;
    std::condition_variable woken_, changed_;
    // Under the mutex.
    std::vector<std::shared_ptr<MpiOperation>> posted_;
    bool orders_ = false;  // any of these is new
    bool stop_ = false, freeze_ = false, frozen_ = false, ready_ = false;
    std::optional<ExitCode> abort_;
    std::filesystem::path trace_folder_;
    std::exception_ptr failure_;  // of starting MPI

    // Of the thread alone, once it is ready.
    std::shared_ptr<Group> all_;
    int local_rank_ = 0, local_size_ = 1, most_tag_ = 0;
    MPI_Comm control_ = MPI_COMM_NULL;
    std::vector<std::shared_ptr<MpiOperation>> in_flight_;
    CallLog log_;
    std::unique_ptr<Pinger> pinger_;
    std::unique_ptr<Watchdog> watchdog_;
    const MpiOperation* current_ = nullptr;  // whose messages MPI is called for
    double progressed_ = 0, polled_ = 0;     // when
    double seen_ = 0, life_ = 0;  // the clock when last read, the time it was seen to run
    std::thread thread_;          // last: it uses all of the above
};

}  // namespace polytrain
