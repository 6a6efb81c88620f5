#pragma once

#include <functional>
#include <memory>
#include <string>

#include "comm/grid.hpp"
#include "tensor/backend.hpp"

namespace polytrain {

// What a device's communicator is told besides its ranks.
struct DeviceGroup {
    std::string name;      // for messages
    double timeout_s = 0;  // how long a call may wait for a peer; 0: for ever
    // Called, in any thread, when a peer is lost or a call waited too long. Does not return.
    std::function<void(const std::string& message)> lost;
    std::function<int64_t()> step;  // for messages
};

// A grid's groups for tensors. What lies on a device travels by communicators of the device's own,
// which follow a stream: a call's messages are sent after the work that the stream was given
// before, and to wait for them makes the stream wait, not the host. In host memory they are the
// grid's.
class TensorGroups {
  public:
    // All must outlive it. All ranks call it.
    TensorGroups(Backend& backend, const Stream& stream, const Grid& grid);

    Communicator& all() const { return *all_; }
    Communicator& experts() const { return *experts_; }
    Communicator& replicas() const { return *replicas_; }

  private:
    std::unique_ptr<Communicator> all_own_, experts_own_, replicas_own_;
    Communicator *all_, *experts_, *replicas_;
};

}  // namespace polytrain
