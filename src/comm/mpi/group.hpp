#pragma once

#include <mpi.h>

#include <cstdint>
#include <string>
#include <vector>

namespace polytrain {

// The ranks that a communicator joins.
struct Group {
    int id = 0;  // the same on all of its ranks
    std::string name;
    bool patient = false;
    MPI_Comm comm = MPI_COMM_NULL;
    int rank = 0;                  // this process's, in the group
    std::vector<int> world_ranks;  // of its members
    int64_t calls = 0;             // posted so far
};

// Reads rank and members off `comm`.
Group describe_group(int id, std::string name, bool patient, MPI_Comm comm);

}  // namespace polytrain
