#pragma once
// Requests: the messages that one call is made of.

#include <mpi.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace polytrain {

// What MPI answered to a call that failed.
class MpiError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Throws MpiError unless `result` is success. `function` is MPI's name of what was called.
void mpi_check(int result, const char* function);

class Requests {
  public:
    // `sequence`: the call's number in its group. No message is longer than `chunk` bytes: MPI
    // counts in int.
    Requests(MPI_Comm group, int64_t sequence, int most_tag, int64_t chunk)
        : group_(group), sequence_(sequence), most_tag_(most_tag), chunk_(chunk) {}

    void send(const void* data, int64_t bytes, int to);
    void receive(void* data, int64_t bytes, int from);
    // In place.
    void all_reduce(void* values, int64_t count, MPI_Datatype type, MPI_Op reduce);
    void broadcast(void* data, int64_t bytes, int root);

    // Whether all are complete; else gets on with them. Throws MpiError, also for a message of
    // another length than was expected.
    bool test();

  private:
    // Of messages of this call that are `bytes` long. Sender and receiver that disagree on the
    // length don't match: Open MPI 4.1 writes beyond a receive's end where a long message is
    // truncated.
    int tag(int64_t bytes) const;
    void add(MPI_Request request, int64_t expected = -1, int from = -1);

    MPI_Comm group_;
    int64_t sequence_;
    int most_tag_;
    int64_t chunk_;
    std::vector<MPI_Request> requests_;
    struct Expected {
        int64_t bytes;  // -1: of no received message
        int from;
    };
    std::vector<Expected> expected_;
    std::vector<int> completed_;
    std::vector<MPI_Status> statuses_;
};

}  // namespace polytrain
