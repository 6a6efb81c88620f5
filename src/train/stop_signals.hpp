#pragma once

namespace polytrain {

// While it lives, the first SIGTERM, SIGINT or SIGUSR1 is noted for the loop to act on, instead of
// ending the process; the next one of any kind ends it at once with status 128 + its number, like
// an unhandled signal, and with nothing half-done under a committed name. A signal that the process
// was started to ignore (SIGINT of a background job) stays ignored. One object at a time.
class StopSignals {
  public:
    StopSignals();
    ~StopSignals();  // as it was before
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    // The name of the signal that came ("SIGTERM"), or nullptr.
    const char* caught() const;
};

}  // namespace polytrain
