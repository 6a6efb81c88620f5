#pragma once
// Bytes that kernels move between global memory and a multiprocessor. The kernels are compiled as
// for ThreadSanitizer, which puts a call before every access; its run time isn't linked, and these
// calls count (traffic.cpp).
//
// A warp's lanes that read one address at once are one access. So an address is counted as often as
// the lane of a warp that comes to it most often: what one thread reads twice counts twice, and
// what each block reads anew counts for each.

#include <cstddef>

namespace polytrain::traffic {

struct Traffic {
    size_t read = 0, written = 0;
    size_t all() const { return read + written; }
};
void reset();
Traffic counted();

}  // namespace polytrain::traffic
