#pragma once

#include <vector>

#include "train/session.hpp"

namespace polytrain {

// A model that generates: keys and values of what it has read are kept, so that a new token costs
// one row, whatever came before it.
class Decoder {
  public:
    // Errors as InferenceSession's.
    Decoder(const RunConfig& config, Backend& backend, const OpTable& ops,
            const Checkpoint& checkpoint);

    // The logits that follow `ids`, of which there are 1 to model.context. Reads only what they
    // have beyond the last call's ids where they begin with those, and else all of them.
    std::vector<float> logits_after(const std::vector<int32_t>& ids);

  private:
    // Ids from place `begin`, `count` of them, go through the model.
    Pass upload(const std::vector<int32_t>& ids, int64_t begin, int64_t count) const;

    int64_t context_, vocab_size_, chunk_;
    InferenceSession session_;
    Buffer logits_;              // in f32
    std::vector<int32_t> read_;  // the ids in the cache
};

}  // namespace polytrain
