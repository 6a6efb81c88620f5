#include "optim/shard.hpp"

#include <algorithm>

#include "ops/elementwise.hpp"

namespace polytrain {
namespace {

int64_t unit_chunks(const Parameter& parameter) {
    return SquaredChunks::chunks(parameter.unit());
}

}  // namespace

int replicas(const Parameter& parameter, const Layout& layout) {
    return parameter.is_experts() ? layout.groups() : layout.ranks;
}

int replica(const Parameter& parameter, const Layout& layout) {
    return parameter.is_experts() ? layout.rank / layout.expert : layout.rank;
}

Shard shard_of(const Parameter& parameter, int replicas, int replica) {
    const int64_t unit = parameter.unit(), chunks = unit_chunks(parameter);
    if (unit == 0) return {};
    const int64_t total = parameter.local_shape.elements() / unit * chunks;
    const auto element = [&](int64_t i) {
        const int64_t chunk = total * i / replicas;
        return chunk / chunks * unit + std::min(unit, chunk % chunks * SquaredChunks::kChunk);
    };
    return {element(replica), element(replica + 1)};
}

Shard own_shard(const Parameter& parameter, const Layout& layout) {
    return shard_of(parameter, replicas(parameter, layout), replica(parameter, layout));
}

int64_t chunk_count(const Parameter& parameter) {
    const int64_t unit = parameter.unit();
    return unit == 0 ? 0 : parameter.shape.elements() / unit * unit_chunks(parameter);
}

int64_t first_chunk(const Parameter& parameter, const Shard& shard) {
    const int64_t unit = parameter.unit(), begin = parameter.first + shard.begin;
    return begin / unit * unit_chunks(parameter) + begin % unit / SquaredChunks::kChunk;
}

}  // namespace polytrain
