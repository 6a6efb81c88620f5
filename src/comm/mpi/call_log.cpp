#include "comm/mpi/call_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

namespace polytrain {
namespace {

// Null for what has not happened.
nlohmann::json time_of(double seconds) {
    return seconds < 0 ? nlohmann::json() : nlohmann::json(seconds);
}

}  // namespace

void CallLog::add(std::shared_ptr<const Call> call) {
    if (calls_.size() == kLength) calls_.pop_front();
    calls_.push_back(std::move(call));
}

const Call* CallLog::last_of(int group) const {
    const auto found = std::find_if(calls_.rbegin(), calls_.rend(),
                                    [&](const auto& call) { return call->group == group; });
    return found == calls_.rend() ? nullptr : found->get();
}

const Call* CallLog::find(int group, int64_t sequence) const {
    const auto found = std::find_if(calls_.begin(), calls_.end(), [&](const auto& call) {
        return call->group == group && call->sequence == sequence;
    });
    return found == calls_.end() ? nullptr : found->get();
}

void CallLog::write(const std::filesystem::path& folder, int rank,
                    const std::string& reason) const {
    nlohmann::json calls = nlohmann::json::array();
    for (const auto& call : calls_)
        calls.push_back({{"kind", call->kind},
                         {"label", call->label},
                         {"agreed", call->agreed},
                         {"group", call->group_name},
                         {"sequence", call->sequence},
                         {"bytes", call->bytes},
                         {"step", call->step},
                         {"enqueued", time_of(call->enqueued)},
                         {"started", time_of(call->started)},
                         {"ended", time_of(call->ended)}});
    const std::filesystem::path path = folder / fmt::format("comm-trace-rank-{}.json", rank);
    // This process may be ended while it writes.
    std::filesystem::path part = path;
    part += ".part";
    std::ofstream(part) << nlohmann::json{{"rank", rank}, {"reason", reason}, {"calls", calls}}
                               .dump(1, ' ', false, nlohmann::json::error_handler_t::replace)
                        << '\n';
    std::error_code ignored;
    std::filesystem::rename(part, path, ignored);
}

}  // namespace polytrain
