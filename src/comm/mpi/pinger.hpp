#pragma once
// Pinger: ranks ask each other, over a communicator of their own, how far they are. It is the
// engine's thread that answers, whatever the rest of the process does.

#include <mpi.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "comm/mpi/call_log.hpp"

namespace polytrain {

class Pinger {
  public:
    // What one rank tells of itself. Sent as it is, so without pointers.
    struct Answer {
        struct Entered {
            int64_t sequence;
            uint64_t fingerprint;
            int64_t sends, receives;  // bytes to and from who asks; -1: not said
            std::array<char, 120> what;
        };
        int64_t group;
        int64_t last;  // sequence number of the last call of that group; -1: none yet
        int64_t step;
        int64_t waiting;           // 1: its caller waits for a call
        std::array<char, 240> at;  // the last call it made in any group
        int64_t count;
        std::array<Entered, 16> calls;  // the newest of that group
    };
    // What is known of a rank as to a group.
    struct Contact {
        bool asked = false;                   // and not answered yet
        double asked_at = -1, heard_at = -1;  // heard: -1: never
        Answer answer{};
    };

    // `control`: of all ranks, for this alone.
    Pinger(MPI_Comm control, const CallLog& log);
    ~Pinger();
    Pinger(const Pinger&) = delete;
    Pinger& operator=(const Pinger&) = delete;

    // Answers who asked, and takes answers. `step` and `waiting` are told.
    void poll(double now, int64_t step, bool waiting);
    // Asks a rank of the world about a group, in which this process is `own`, unless its answer to
    // the last question is due.
    void ask(int rank, int group, int own, double now);
    const Contact& contact(int rank, int group) { return contacts_[{rank, group}]; }

  private:
    struct Question {
        int64_t group, rank;  // who asks, in that group
    };
    struct Message {
        MPI_Request request = MPI_REQUEST_NULL;
        Answer answer{};
        Question question{};
    };
    void listen_for_questions();
    void listen_for_answers();
    Answer answer_to(const Question& question, int64_t step, bool waiting) const;

    MPI_Comm control_;
    const CallLog& log_;
    std::map<std::pair<int, int>, Contact> contacts_;  // by rank and group
    Message question_, answer_;                        // received next
    std::vector<std::unique_ptr<Message>> sent_;
};

}  // namespace polytrain
