#pragma once
// The order of samples, as a pure function of the seed and the global sample index: any rank can
// ask for any sample, and a resumed run needs the index alone.

#include <cstdint>
#include <vector>

namespace polytrain {

// A random-looking bijection of [0, n), in O(1) memory and expected time: a Feistel network over
// the next power of four, walked until it lands inside. Keyed by (seed, source, epoch).
class Permutation {
  public:
    Permutation(uint64_t n, uint64_t seed, uint64_t source, uint64_t epoch);
    uint64_t operator()(uint64_t position) const;

  private:
    static constexpr int kRounds = 8;
    uint64_t n_;
    int half_bits_;
    uint64_t keys_[kRounds];
};

// Splits the numbers 0, 1, 2, ... over weighted sources. Each source gets its own 0, 1, 2, ... in
// order; of the first g numbers, the first source gets its exact share rounded to the nearest, and
// the sources after it split the rest in the same way.
class Mixture {
  public:
    explicit Mixture(const std::vector<double>& weights);  // at least one, each > 0 and finite

    struct Place {
        int64_t source, index;
    };
    Place operator()(int64_t global) const;

  private:
    // The source's share of what the sources before it leave, times 2^62. A double's 53 bits fit.
    std::vector<uint64_t> shares_;
};

// Which sample of which source is the `global`-th of a run over sources of so many samples each. A
// source is read in a new order in each epoch of its own.
class SampleOrder {
  public:
    struct Source {
        int64_t samples;
        double weight;
    };
    SampleOrder(uint64_t seed, const std::vector<Source>& sources);

    struct Place {
        int64_t source, epoch, sample;
    };
    Place operator()(int64_t global) const;

  private:
    uint64_t seed_;
    std::vector<int64_t> samples_;
    Mixture mixture_;
};

}  // namespace polytrain
