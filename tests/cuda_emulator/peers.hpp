#pragma once
// Messages between processes of one machine, over sockets in a folder: what the stand-in of NCCL
// sends by. Nothing blocks after the beginning.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace polytrain::emulator {

class Peers {
  public:
    // A folder for new peers to meet in.
    static std::string make_folder();
    // Returns when all `ranks` are joined; ends the process after a minute.
    Peers(const std::string& folder, int ranks, int rank);
    ~Peers();
    Peers(const Peers&) = delete;
    Peers& operator=(const Peers&) = delete;

    int rank() const { return rank_; }
    int size() const { return static_cast<int>(sockets_.size()); }
    // As many bytes as the system takes or has now; -1: the peer is gone.
    int64_t send(int peer, const void* data, size_t bytes) const;
    int64_t receive(int peer, void* data, size_t bytes) const;

  private:
    int rank_;
    std::vector<int> sockets_;  // by rank; this process's own is -1
};

}  // namespace polytrain::emulator
