#include "comm/mpi/group.hpp"

#include <numeric>

#include "comm/mpi/requests.hpp"

namespace polytrain {

Group describe_group(int id, std::string name, bool patient, MPI_Comm comm) {
    Group group{id, std::move(name), patient, comm, 0, {}, 0};
    int size = 0;
    mpi_check(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    mpi_check(MPI_Comm_rank(comm, &group.rank), "MPI_Comm_rank");
    mpi_check(MPI_Comm_size(comm, &size), "MPI_Comm_size");
    std::vector<int> ranks(static_cast<size_t>(size));
    std::iota(ranks.begin(), ranks.end(), 0);
    group.world_ranks.resize(ranks.size());
    MPI_Group members = MPI_GROUP_NULL, world = MPI_GROUP_NULL;
    mpi_check(MPI_Comm_group(comm, &members), "MPI_Comm_group");
    mpi_check(MPI_Comm_group(MPI_COMM_WORLD, &world), "MPI_Comm_group");
    mpi_check(
        MPI_Group_translate_ranks(members, size, ranks.data(), world, group.world_ranks.data()),
        "MPI_Group_translate_ranks");
    MPI_Group_free(&members);
    MPI_Group_free(&world);
    return group;
}

}  // namespace polytrain
