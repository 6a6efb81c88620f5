#pragma once
// The grid of ranks, data-parallel x expert-parallel: rank = group * expert + place. The `expert`
// ranks of a group share the experts of every layer; the ranks of one place in all groups hold the
// same experts. All ranks are data-parallel: each has micro-batches of its own.

#include <memory>

#include "comm/world.hpp"

namespace polytrain {

// The grid in numbers, which is all that planning needs.
struct Layout {
    int ranks = 1, expert = 1, rank = 0;

    int groups() const { return ranks / expert; }
    int place() const { return rank % expert; }
};

class Grid {
  public:
    // One rank.
    Grid();
    // All ranks of the world, which must outlive it; `expert` divides their number. All ranks call
    // it: every group there will ever be is made here.
    Grid(World& world, int expert);

    const Layout& layout() const { return layout_; }
    Communicator& all() const { return *all_; }
    // This rank's group: its P ranks share out the experts.
    Communicator& experts() const { return *experts_; }
    // The ranks that hold the same experts as this one.
    Communicator& replicas() const { return *replicas_; }
    // All ranks again, for what waits for disks, beside the steps.
    Communicator& disks() const { return *disks_; }
    // Null for one rank.
    World* world() const { return world_; }

  private:
    World* world_ = nullptr;
    Layout layout_;
    std::unique_ptr<Communicator> local_, experts_own_, replicas_own_, disks_own_;
    Communicator *all_ = nullptr, *experts_ = nullptr, *replicas_ = nullptr, *disks_ = nullptr;
};

}  // namespace polytrain
