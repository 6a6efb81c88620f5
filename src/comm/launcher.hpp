#pragma once

#include <cstdint>

namespace polytrain {

// The number of processes that a launcher (mpirun, or one that speaks PMI) says it started, of
// which this is one; 0: there is none; -1: there is one, which doesn't say how many.
int64_t launched_ranks();

}  // namespace polytrain
