#pragma once

#include <memory>

#include "comm/world.hpp"
#include "ops/op_table.hpp"

namespace polytrain::testing {

// The device that POLYTRAIN_TEST_DEVICE names, else the CPU, for this rank.
std::unique_ptr<Backend> tested_backend(World& world);

// Its ops. With POLYTRAIN_ROUTES=record:FOLDER what the routers choose is written to a file a call;
// with replay:FOLDER it is read from there in place of what they would choose, with the weights
// that their own probabilities give it: near ties, which rounding decides, are then no difference.
// `chosen` must outlive `table`.
void register_tested_ops(Backend& backend, OpTable& table, OpTable& chosen, World& world);

}  // namespace polytrain::testing
