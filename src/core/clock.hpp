#pragma once

#include <chrono>
#include <string>

namespace polytrain {

// Seconds since construction or the last restart(), on the monotonic clock.
class Stopwatch {
  public:
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }
    void restart() { start_ = std::chrono::steady_clock::now(); }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// "1h02m", "3m20s", "45s".
std::string duration_text(double seconds);

}  // namespace polytrain
