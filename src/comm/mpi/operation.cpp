#include "comm/mpi/operation.hpp"

#include <exception>
#include <utility>

#include "comm/mpi/engine.hpp"

namespace polytrain {

MpiOperation::MpiOperation(Engine& engine, std::shared_ptr<Group> group, std::shared_ptr<Call> call,
                           Start start)
    : engine_(engine), group_(std::move(group)), call_(std::move(call)), start_(std::move(start)) {}

void MpiOperation::wait() {
    if (done()) return;
    // Who waits for a disk, on a thread of its own, neither hurries nor excuses this rank.
    if (!group_->patient) engine_.begin_wait();
    done_.wait(false);
    if (!group_->patient) engine_.end_wait();
}

void MpiOperation::abandon() {
    if (!done() && std::uncaught_exceptions() > 0) engine_.freeze();
}

void MpiOperation::begin(int most_tag, int64_t chunk) {
    requests_ = std::make_unique<Requests>(group_->comm, call_->sequence, most_tag, chunk);
    start_(*requests_);
    start_ = nullptr;
}

void MpiOperation::finish() {
    requests_.reset();
    done_.store(true, std::memory_order_release);
    done_.notify_all();
}

}  // namespace polytrain
