#pragma once
// Which part of a parameter a rank owns among the ranks that hold a copy of it. Who owns a part
// sums its gradient, adds its squares to the norm and saves it; with parallel.sharding it also is
// the only one that has its optimizer state.

#include "nn/layer.hpp"

namespace polytrain {

// Elements [begin, end) of a rank's part of a parameter. They begin at a chunk of SquaredChunks,
// which are counted anew in each Parameter::unit(), so that the sums of squares by chunk are the
// same in every layout.
struct Shard {
    int64_t begin = 0, end = 0;
    int64_t elements() const { return end - begin; }
};

// The ranks that hold the same part of a parameter, as a number and this one's place among them.
int replicas(const Parameter& parameter, const Layout& layout);
int replica(const Parameter& parameter, const Layout& layout);

// The shard of a replica; all shards together are the part that each of them holds. The parameter
// must have been declared.
Shard shard_of(const Parameter& parameter, int replicas, int replica);
// This rank's.
Shard own_shard(const Parameter& parameter, const Layout& layout);

// Chunks of the whole parameter, and the first of those in the shard.
int64_t chunk_count(const Parameter& parameter);
int64_t first_chunk(const Parameter& parameter, const Shard& shard);

// The shard of a tensor that holds this rank's part (of a gradient with several sources, of the
// first), flat.
inline Tensor shard_view(const Tensor& tensor, const Shard& shard) {
    return tensor.reshaped({tensor.elements()}).rows(shard.begin, shard.end);
}

}  // namespace polytrain
