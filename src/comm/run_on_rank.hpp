#pragma once

#include <functional>

#include "comm/world.hpp"

namespace polytrain {

// Runs `work` as one of the world's ranks. Where there are several, an exception is logged and ends
// the whole job with its exit code: rank 0 does so at once and others a moment later, so that what
// fails on all ranks is told once. `told_to_end` is asked when there is an exception: whether a
// signal had come before it. mpirun, which sends one for another rank's error, kills a second after
// it; a rank that it was sent to waits that long before it adds an error of its own. Exceptions of
// exit code 75, which all ranks throw together, are logged and go on to the caller without their
// message; so do all, with it, in a world of one.
void run_on_rank(World& world, const std::function<void()>& work,
                 const std::function<bool()>& told_to_end);

}  // namespace polytrain
