#pragma once

#include "ops/op_table.hpp"

namespace polytrain {

// FLOP/s of this machine's matrix products in `storage`, all threads together: the best of several
// square products of up to 1024^3, for about 0.2 s and at most `flops` operations in all (or two
// milliseconds of 128^3, where these are too few). What a run's speed is a share of (mfu).
double measure_peak(Backend& backend, const OpTable& ops, DType storage, double flops);

}  // namespace polytrain
