#pragma once
// Which rows travel to the experts of a group of ranks, and when: in one wave as a rule, in several
// where a rank has no room for all that it will get (parallel.expert_rows).

#include <vector>

#include "comm/communicator.hpp"
#include "tensor/tensor.hpp"

namespace polytrain {

// Rows in the groups that grouped products want: offsets [groups + 1] on the device and the host.
struct ExpertGroups {
    Tensor offsets_G;
    const std::vector<int64_t>& host;

    int64_t rows() const { return host.back(); }
};

struct ExpertWave {
    // Rows to and from each rank of the group: of the tokens' side, in the order of experts, and as
    // they arrive.
    std::vector<Range> sent, received;
    // Of all this rank's groups of rows, by sending rank, then by expert; those of other waves are
    // empty.
    std::vector<int64_t> offsets;

    int64_t rows() const { return offsets.back(); }
};

// counts: rows by sending rank and expert, [places * experts], as all ranks of the group know them;
// rank p holds experts [p L, (p + 1) L), L = experts / places. A wave is whole groups in their
// order, as many as `most_rows` holds, which must hold the largest. All ranks get as many waves, at
// least one, the last of some perhaps empty. With the groups in order and whole, results don't
// depend on most_rows.
std::vector<ExpertWave> expert_waves(const std::vector<int64_t>& counts, int64_t places,
                                     int64_t place, int64_t most_rows);

}  // namespace polytrain
