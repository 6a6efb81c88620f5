#include "nn/expert_waves.hpp"

#include <algorithm>

namespace polytrain {
namespace {

// The first group of each wave of one rank's groups, and the number of groups.
std::vector<size_t> cut(const std::vector<int64_t>& rows, int64_t most_rows) {
    std::vector<size_t> firsts{0};
    int64_t sum = 0;
    for (size_t g = 0; g < rows.size(); ++g) {
        PT_CHECK(rows[g] <= most_rows, "a group of {} rows, room for {}", rows[g], most_rows);
        if (sum + rows[g] > most_rows) {
            firsts.push_back(g);
            sum = 0;
        }
        sum += rows[g];
    }
    firsts.push_back(rows.size());
    return firsts;
}

}  // namespace

std::vector<ExpertWave> expert_waves(const std::vector<int64_t>& counts, int64_t places,
                                     int64_t place, int64_t most_rows) {
    const auto ranks = static_cast<size_t>(places), own = static_cast<size_t>(place);
    const size_t experts = counts.size() / ranks, local = experts / ranks;
    // Of each rank, its groups and where its waves begin.
    std::vector<std::vector<int64_t>> rows(ranks);
    std::vector<std::vector<size_t>> firsts;
    size_t waves = 0;
    for (size_t to = 0; to < ranks; ++to) {
        for (size_t from = 0; from < ranks; ++from)
            for (size_t e = 0; e < local; ++e)
                rows[to].push_back(counts[from * experts + to * local + e]);
        waves = std::max(waves, firsts.emplace_back(cut(rows[to], most_rows)).size() - 1);
    }
    // The tokens' side lies in the order of experts.
    std::vector<int64_t> first_row{0};
    for (size_t e = 0; e < experts; ++e)
        first_row.push_back(first_row.back() + counts[own * experts + e]);

    std::vector<ExpertWave> all(waves);
    for (size_t w = 0; w < waves; ++w) {
        // Group g of a rank is in the wave if it is in [begin, end).
        const auto begin = [&](size_t to) {
            return firsts[to][std::min(w, firsts[to].size() - 1)];
        };
        const auto end = [&](size_t to) {
            return firsts[to][std::min(w + 1, firsts[to].size() - 1)];
        };
        ExpertWave& wave = all[w];
        for (size_t to = 0; to < ranks; ++to) {
            // Of this rank's groups those in the wave: they lie side by side.
            const size_t low = std::clamp(begin(to), own * local, (own + 1) * local) - own * local;
            const size_t high = std::clamp(end(to), own * local, (own + 1) * local) - own * local;
            wave.sent.push_back({first_row[to * local + low], first_row[to * local + high]});
        }
        wave.offsets.push_back(0);
        for (size_t g = 0; g < rows[own].size(); ++g)
            wave.offsets.push_back(wave.offsets.back() +
                                   (g >= begin(own) && g < end(own) ? rows[own][g] : 0));
        for (size_t from = 0; from < ranks; ++from)
            wave.received.push_back({wave.offsets[from * local], wave.offsets[(from + 1) * local]});
    }
    return all;
}

}  // namespace polytrain
