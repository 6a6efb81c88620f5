#pragma once
// Watchdog: judges calls that wait for long, by what the ranks they wait for answer.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "comm/mpi/call_log.hpp"
#include "comm/mpi/group.hpp"
#include "comm/mpi/pinger.hpp"
#include "core/error.hpp"

namespace polytrain {

class Watchdog {
  public:
    // Why the job must end.
    struct Verdict {
        ExitCode code;
        std::string message;
    };
    // A call under way, and since when.
    struct Watched {
        const Call* call;
        const Group* group;
        double since;
    };

    // `hosts`: the machine of each rank of the world.
    Watchdog(Pinger& pinger, const CallLog& log, std::vector<std::string> hosts)
        : pinger_(pinger), log_(log), hosts_(std::move(hosts)) {}

    // `now`: seconds of this process's own life. They stop while the process does, so that one
    // which was stopped and goes on blames nobody for it.
    std::optional<Verdict> judge(const Watched& watched, double timeout, double now);

  private:
    struct Peers {
        std::vector<int> silent, missing;
        bool missing_wait = true;  // all of the missing wait for another call
        bool all_known = true;
    };
    Peers ask_peers(const Watched& watched, double timeout, double now);
    // With what that rank of the group called.
    std::optional<Verdict> compare(const Watched& watched, size_t peer);
    std::string name(int rank) const;
    std::string describe(const Watched& watched, double now) const;

    Pinger& pinger_;
    const CallLog& log_;
    std::vector<std::string> hosts_;
    struct Entered {
        int64_t sequence = -1;
        double since = 0;
    };
    std::map<int, Entered> all_entered_;  // by group: the oldest call, and since when all are in it
};

}  // namespace polytrain
