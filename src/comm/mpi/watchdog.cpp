#include "comm/mpi/watchdog.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace polytrain {
namespace {

// Shares of the timeout: when peers are first asked, how long an answer may take, how often a peer
// that answers is asked again.
constexpr double kFirstQuestion = 0.5, kSilence = 0.25, kPeriod = 0.1;
// A call may wait this much longer where those who are missing wait themselves: who waits for the
// culprit knows more.
constexpr double kNotTheCulprit = 1.5;

std::string joined(const std::vector<std::string>& parts) {
    return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace

std::string Watchdog::name(int rank) const {
    const bool one_host = std::all_of(hosts_.begin(), hosts_.end(),
                                      [&](const auto& host) { return host == hosts_[0]; });
    return one_host ? fmt::format("rank {}", rank)
                    : fmt::format("rank {} (on {})", rank, hosts_[static_cast<size_t>(rank)]);
}

std::string Watchdog::describe(const Watched& watched, double now) const {
    const int own = watched.group->world_ranks[static_cast<size_t>(watched.group->rank)];
    return fmt::format("{} waited {:.1f} s in {}, {}, {} bytes, step {}", name(own),
                       now - watched.since, watched.call->what(), watched.call->where(),
                       watched.call->bytes, watched.call->step);
}

std::optional<Watchdog::Verdict> Watchdog::compare(const Watched& watched, size_t peer) {
    const Group& group = *watched.group;
    const int own = group.world_ranks[static_cast<size_t>(group.rank)];
    const int rank = group.world_ranks[peer];
    const Pinger::Answer& answer = pinger_.contact(rank, group.id).answer;
    const auto verdict = [&](const Call& call, const std::string& difference) {
        return Verdict{ExitCode::kInternal,
                       fmt::format("ranks called different collectives: {}, step {}: {}; this is a "
                                   "bug in PolyTrain",
                                   call.where(), call.step, difference)};
    };
    for (int64_t i = answer.count - 1; i >= 0; --i) {  // the oldest first
        const auto& theirs = answer.calls.at(static_cast<size_t>(i));
        const Call* ours = log_.find(group.id, theirs.sequence);
        if (ours == nullptr) continue;
        if (ours->fingerprint() != theirs.fingerprint)
            return verdict(*ours, fmt::format("{} on {}, {} on {}", ours->what(), name(own),
                                              theirs.what.data(), name(rank)));
        if (ours->sends.empty()) continue;
        if (ours->receives[peer] != theirs.sends)
            return verdict(
                *ours, fmt::format("{}: {} sends {} bytes to {}, which expects {}", ours->what(),
                                   name(rank), theirs.sends, name(own), ours->receives[peer]));
        if (ours->sends[peer] != theirs.receives)
            return verdict(
                *ours, fmt::format("{}: {} sends {} bytes to {}, which expects {}", ours->what(),
                                   name(own), ours->sends[peer], name(rank), theirs.receives));
    }
    return {};
}

Watchdog::Peers Watchdog::ask_peers(const Watched& watched, double timeout, double now) {
    Peers peers;
    for (size_t i = 0; i < watched.group->world_ranks.size(); ++i) {
        if (static_cast<int>(i) == watched.group->rank) continue;
        const int rank = watched.group->world_ranks[i];
        const Pinger::Contact& contact = pinger_.contact(rank, watched.group->id);
        // What it said before this call began is no news.
        const bool heard = contact.heard_at >= watched.since;
        if (!heard || now - contact.heard_at >= kPeriod * timeout)
            pinger_.ask(rank, watched.group->id, watched.group->rank, now);
        if (contact.asked && now - contact.asked_at >= kSilence * timeout) {
            peers.silent.push_back(rank);
        } else if (!heard || now - contact.heard_at > kSilence * timeout) {
            peers.all_known = false;
        } else if (contact.answer.last < watched.call->sequence) {
            peers.missing.push_back(rank);
            peers.missing_wait = peers.missing_wait && contact.answer.waiting != 0;
        }
    }
    return peers;
}

std::optional<Watchdog::Verdict> Watchdog::judge(const Watched& watched, double timeout,
                                                 double now) {
    const double waited = now - watched.since;
    if (timeout <= 0 || waited < kFirstQuestion * timeout) return {};
    const Peers peers = ask_peers(watched, timeout, now);
    const Group& group = *watched.group;
    for (size_t peer = 0; peer < group.world_ranks.size(); ++peer) {
        if (pinger_.contact(group.world_ranks[peer], group.id).heard_at < watched.since) continue;
        if (auto verdict = compare(watched, peer)) return verdict;
    }
    Entered& entered = all_entered_[group.id];
    const bool all_in = peers.silent.empty() && peers.missing.empty() && peers.all_known;
    if (!all_in || entered.sequence != watched.call->sequence)
        entered = {all_in ? watched.call->sequence : -1, now};

    if (waited < timeout) return {};
    std::vector<std::string> reasons;
    if (!peers.silent.empty()) {
        for (const int rank : peers.silent) {
            const Pinger::Contact& contact = pinger_.contact(rank, group.id);
            reasons.push_back(fmt::format(
                "{} does not answer since {:.1f} s: it is stopped, or its machine or the network "
                "is lost",
                name(rank), now - std::max(contact.heard_at, contact.asked_at)));
        }
    } else if (group.patient || !peers.all_known) {
        return {};
    } else if (!peers.missing.empty()) {
        if (peers.missing_wait && waited < kNotTheCulprit * timeout) return {};
        for (const int rank : peers.missing) {
            const Pinger::Answer& answer = pinger_.contact(rank, group.id).answer;
            reasons.push_back(fmt::format(
                "{} has not entered it: it is at step {}, {} {}", name(rank), answer.step,
                answer.waiting != 0 ? "and waits in"
                                    : "where its main thread hangs or is slow since",
                answer.at[0] == '\0' ? "its start" : answer.at.data()));
        }
    } else if (now - entered.since >= kFirstQuestion * timeout) {
        reasons.emplace_back("all ranks entered it and answer: the network is stuck or too slow");
    } else {
        return {};
    }
    return Verdict{ExitCode::kPeerLost,
                   fmt::format("{}: {}", describe(watched, now), joined(reasons))};
}

}  // namespace polytrain
