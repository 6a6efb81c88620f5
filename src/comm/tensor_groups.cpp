#include "comm/tensor_groups.hpp"

#include "core/log.hpp"

namespace polytrain {

TensorGroups::TensorGroups(Backend& backend, const Stream& stream, const Grid& grid)
    : all_(&grid.all()), experts_(&grid.experts()), replicas_(&grid.replicas()) {
    World* world = grid.world();
    if (world == nullptr || world->size() == 1) return;
    const auto make = [&](std::unique_ptr<Communicator>& own, Communicator*& used,
                          const char* name) {
        if (used->size() == 1) return;
        const DeviceGroup group{name, world->timeout(),
                                [world](const std::string& message) {
                                    log::error_line(message);
                                    world->abort(ExitCode::kPeerLost);
                                },
                                [world] { return world->step(); }};
        own = backend.make_communicator(*used, group, stream.handle());
        if (own) used = own.get();
    };
    make(all_own_, all_, "all");
    make(experts_own_, experts_, "experts");
    make(replicas_own_, replicas_, "replicas");
}

}  // namespace polytrain
