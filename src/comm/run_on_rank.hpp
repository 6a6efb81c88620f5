#pragma once

#include <functional>

#include "comm/world.hpp"

namespace polytrain {

// Runs `work` as one of the world's ranks. Where there are several, an exception is logged and ends
// the whole job with its exit code: rank 0 does so at once and others a moment later, so that what
// fails on all ranks is told once. Exceptions of exit code 75, which all ranks throw together, are
// logged and go on to the caller without their message; so do all, with it, in a world of one.
void run_on_rank(World& world, const std::function<void()>& work);

}  // namespace polytrain
