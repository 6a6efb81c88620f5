#pragma once
// CallLog: the last calls of this process, over all groups.

#include <deque>
#include <filesystem>
#include <memory>

#include "comm/mpi/call.hpp"

namespace polytrain {

class CallLog {
  public:
    static constexpr size_t kLength = 256;

    void add(std::shared_ptr<const Call> call);
    const std::deque<std::shared_ptr<const Call>>& calls() const { return calls_; }  // oldest first
    // The newest of a group, or nullptr.
    const Call* last_of(int group) const;
    const Call* find(int group, int64_t sequence) const;

    // As comm-trace-rank-N.json; `reason` is why. Errors are ignored: the process is about to end.
    void write(const std::filesystem::path& folder, int rank, const std::string& reason) const;

  private:
    std::deque<std::shared_ptr<const Call>> calls_;
};

}  // namespace polytrain
