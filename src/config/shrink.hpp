#pragma once

#include "config/run_config.hpp"

namespace polytrain {

// The same experiment at a size that two cores train in a second: what `--shrink` makes of a
// resolved config before overrides are applied to it. Nothing that is not a size changes, so that
// all code a large run passes through is passed. The rule (docs/experiments.md):
//   model      a wider one: a width of 64 in 4 heads, hidden widths and kv_heads in proportion to
//              it and to them; at most 2 layers, 64 tokens of context and of vocabulary 512; at
//              most 8 experts, of which a token meets at most 2
//   data       the synthetic stream, and so no tasks to evaluate
//   train      3 steps of at most 4 sequences, at most 2 at a time, or of as many as `ranks` take
//              at once; the schedule's lengths in proportion
//   parallel   experts over as many ranks as divide `ranks`, parallel.expert and the experts
//   precision  auto, since not every machine trains in bf16
RunConfig shrunk(RunConfig config, int ranks);

}  // namespace polytrain
