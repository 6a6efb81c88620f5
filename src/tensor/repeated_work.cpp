#include "tensor/repeated_work.hpp"

#include "core/error.hpp"
#include "core/log.hpp"

namespace polytrain {

RepeatedWork::~RepeatedWork() {
    if (recording_ != nullptr) stream_.backend().destroy_recording(recording_);
}

void RepeatedWork::run(const std::function<void()>& queue) {
    Backend& backend = stream_.backend();
    if (records_ && ran_ && recording_ == nullptr) {
        try {
            recording_ = backend.record(queue, stream_.handle());
        } catch (const Error& error) {
            log::warn("{}; going on without a graph of the step", error.what());
        }
        records_ = recording_ != nullptr;
    }
    ran_ = true;
    if (recording_ != nullptr)
        backend.replay(recording_, stream_.handle());
    else
        queue();
}

}  // namespace polytrain
