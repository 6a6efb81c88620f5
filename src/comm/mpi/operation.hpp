#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "comm/communicator.hpp"
#include "comm/mpi/call.hpp"
#include "comm/mpi/group.hpp"
#include "comm/mpi/requests.hpp"

namespace polytrain {

class Engine;

// One collective call on its way through the engine.
class MpiOperation final : public Pending::Operation {
  public:
    using Start = std::function<void(Requests&)>;

    MpiOperation(Engine& engine, std::shared_ptr<Group> group, std::shared_ptr<Call> call,
                 Start start);

    void wait() override;
    bool done() override { return done_.load(std::memory_order_acquire); }
    void abandon() override;

    // For the engine's thread.
    void begin(int most_tag, int64_t chunk);
    bool test() { return requests_->test(); }
    void finish();
    Call& call() { return *call_; }
    const Call& call() const { return *call_; }
    std::shared_ptr<const Call> shared_call() const { return call_; }
    const Group& group() const { return *group_; }
    double watched_since = 0;  // on the watchdog's clock

  private:
    Engine& engine_;
    std::shared_ptr<Group> group_;
    std::shared_ptr<Call> call_;
    Start start_;
    std::unique_ptr<Requests> requests_;
    std::atomic<bool> done_{false};
};

}  // namespace polytrain
