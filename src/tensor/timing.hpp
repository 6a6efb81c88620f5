#pragma once

#include <functional>

#include "tensor/backend.hpp"

namespace polytrain {

// Seconds that `run` takes on a stream: the least of five batches, each of as many runs as take
// `least_seconds`, by the host's clock around a wait for the device.
double seconds_of(const Stream& stream, double least_seconds, const std::function<void()>& run);

}  // namespace polytrain
