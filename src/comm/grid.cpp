#include "comm/grid.hpp"

#include <fmt/format.h>

namespace polytrain {

Grid::Grid() : local_(make_local_communicator()) {
    all_ = experts_ = replicas_ = disks_ = local_.get();
}

Grid::Grid(World& world, int expert) : world_(&world) {
    PT_CHECK(expert >= 1 && world.size() % expert == 0, "{} ranks in groups of {}", world.size(),
             expert);
    layout_ = {world.size(), expert, world.rank()};
    all_ = &world.all();
    const int group = layout_.rank / expert, place = layout_.place();
    experts_own_ = world.split(group, fmt::format("expert group {}", group), false);
    replicas_own_ = world.split(place, fmt::format("replicas of place {}", place), false);
    disks_own_ = world.split(0, "disks", true);
    experts_ = experts_own_.get();
    replicas_ = replicas_own_.get();
    disks_ = disks_own_.get();
}

}  // namespace polytrain
