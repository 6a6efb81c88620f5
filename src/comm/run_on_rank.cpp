#include "comm/run_on_rank.hpp"

#include <chrono>
#include <thread>

#include "core/log.hpp"
#include "core/report_exception.hpp"

namespace polytrain {

void run_on_rank(World& world, const std::function<void()>& work,
                 const std::function<bool()>& told_to_end) {
    if (world.size() == 1) return work();
    log::set_rank(world.rank());
    try {
        work();
    } catch (...) {
        const bool was_told = told_to_end();
        try {
            throw;
        } catch (const Error& error) {
            if (error.code() == ExitCode::kRequeue) {
                // Told before the ranks part: mpirun ends those that are left when the first ends.
                log::info_line(error.what());
                throw Error(ExitCode::kRequeue, "");
            }
        } catch (...) {  // NOLINT(bugprone-empty-catch): reported below
        }
        constexpr auto kRankZeroFirst = std::chrono::seconds(1), kUntilKilled = 4 * kRankZeroFirst;
        if (world.rank() != 0)
            std::this_thread::sleep_for(was_told ? kUntilKilled : kRankZeroFirst);
        world.abort(report_exception());
    }
}

}  // namespace polytrain
