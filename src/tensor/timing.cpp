#include "tensor/timing.hpp"

#include <algorithm>

#include "core/clock.hpp"

namespace polytrain {

double seconds_of(const Stream& stream, double least_seconds, const std::function<void()>& run) {
    const auto batch = [&](int count) {
        stream.synchronize();
        const Stopwatch watch;
        for (int i = 0; i < count; ++i) run();
        stream.synchronize();
        return watch.seconds() / count;
    };
    batch(2);  // libraries choose and load what they run
    const double once = batch(1);
    const int count = static_cast<int>(std::clamp(least_seconds / once, 1.0, 1000.0));
    double best = once;
    for (int i = 0; i < 5; ++i) best = std::min(best, batch(count));
    return best;
}

}  // namespace polytrain
