#pragma once

#include <cstdint>
#include <memory>

#include "comm/world.hpp"

namespace polytrain {

// The world of the processes that mpirun started. No message is longer than `chunk` bytes (tests
// make it small).
std::unique_ptr<World> open_mpi_world(int64_t chunk = int64_t{1} << 30);

}  // namespace polytrain
