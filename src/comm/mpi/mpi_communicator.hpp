#pragma once

#include <memory>

#include "comm/communicator.hpp"
#include "comm/mpi/engine.hpp"

namespace polytrain {

// A group's collectives, posted to the engine. It must not outlive it.
class MpiCommunicator final : public Communicator {
  public:
    MpiCommunicator(Engine& engine, std::shared_ptr<Group> group)
        : engine_(engine), group_(std::move(group)) {}

    int rank() const override { return group_->rank; }
    int size() const override { return static_cast<int>(group_->world_ranks.size()); }
    Pending all_reduce(const Tensor& values, Reduce reduce, std::string_view label) override;
    Pending all_to_all(const void* send, std::span<const Range> sends, void* receive,
                       std::span<const Range> receives, std::string_view label) override;
    Pending all_gather(void* data, std::span<const int64_t> offsets,
                       std::string_view label) override;
    Pending broadcast(void* data, int64_t bytes, int root, std::string_view label) override;

  private:
    Pending post(Call call, MpiOperation::Start start);

    Engine& engine_;
    std::shared_ptr<Group> group_;
};

}  // namespace polytrain
