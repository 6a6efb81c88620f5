#include "comm/launcher.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace polytrain {

int64_t launched_ranks() {
    // Open MPI, then MPICH, Intel MPI and Slurm's PMI libraries.
    for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
        const char* text = std::getenv(name);
        int64_t ranks = 0;
        if (text != nullptr &&
            std::from_chars(text, text + std::strlen(text), ranks).ec == std::errc() && ranks > 0)
            return ranks;
    }
    for (const char* name : {"PMI_RANK", "PMI_FD", "PMIX_RANK", "MPI_LOCALNRANKS"})
        if (std::getenv(name) != nullptr) return -1;
    return 0;
}

}  // namespace polytrain
