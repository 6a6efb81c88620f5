#include "data/sampler.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

#include "core/error.hpp"
#include "core/philox.hpp"

namespace polytrain {
namespace {

constexpr int kShareBits = 62;

// floor(count * share + 1/2): how many of the first `count` numbers a source of this share gets.
int64_t rounded_share(int64_t count, uint64_t share) {
    using Wide = unsigned __int128;
    const Wide half = Wide{1} << (kShareBits - 1);
    return static_cast<int64_t>((static_cast<Wide>(count) * share + half) >> kShareBits);
}

std::vector<double> weights_of(const std::vector<SampleOrder::Source>& sources) {
    std::vector<double> weights;
    for (const SampleOrder::Source& source : sources) weights.push_back(source.weight);
    return weights;
}

}  // namespace

Permutation::Permutation(uint64_t n, uint64_t seed, uint64_t source, uint64_t epoch)
    : n_(n), half_bits_((std::bit_width(n - 1) + 1) / 2) {
    PT_CHECK(1 <= n && n <= uint64_t{1} << 62, "a permutation of {} samples", n);
    const PhiloxKey key = philox_key(seed, "data/order");
    for (int round = 0; round < kRounds; ++round) {
        const auto words = philox(key, epoch, source * kRounds + static_cast<uint64_t>(round));
        keys_[round] = (uint64_t{words[1]} << 32) | words[0];
    }
}

uint64_t Permutation::operator()(uint64_t position) const {
    PT_CHECK(position < n_, "position {} of {}", position, n_);
    const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
    do {
        uint64_t left = position >> half_bits_, right = position & mask;
        for (const uint64_t key : keys_) {
            const uint64_t next = left ^ (mix_bits(right + key) & mask);
            left = right;
            right = next;
        }
        position = (left << half_bits_) | right;
    } while (position >= n_);
    return position;
}

Mixture::Mixture(const std::vector<double>& weights) {
    PT_CHECK(!weights.empty(), "a mixture of nothing");
    double rest = 0;  // the sum of this weight and the later ones
    for (size_t i = weights.size(); i-- > 0;) {
        PT_CHECK(weights[i] > 0 && std::isfinite(weights[i]), "weight {}", weights[i]);
        rest += weights[i];
        shares_.push_back(static_cast<uint64_t>(std::ldexp(weights[i] / rest, kShareBits)));
    }
    std::reverse(shares_.begin(), shares_.end());
}

Mixture::Place Mixture::operator()(int64_t global) const {
    PT_CHECK(global >= 0, "sample {}", global);
    int64_t index = global;
    for (size_t source = 0;; ++source) {
        // The last source's share is 1: it takes every number that reaches it.
        const int64_t before = rounded_share(index, shares_[source]);
        if (rounded_share(index + 1, shares_[source]) > before)
            return {static_cast<int64_t>(source), before};
        index -= before;
    }
}

SampleOrder::SampleOrder(uint64_t seed, const std::vector<Source>& sources)
    : seed_(seed), mixture_(weights_of(sources)) {
    for (const Source& source : sources) {
        PT_CHECK(source.samples > 0, "a source of {} samples", source.samples);
        samples_.push_back(source.samples);
    }
}

SampleOrder::Place SampleOrder::operator()(int64_t global) const {
    const auto [source, index] = mixture_(global);
    const int64_t samples = samples_[static_cast<size_t>(source)];
    const int64_t epoch = index / samples;
    const Permutation order(static_cast<uint64_t>(samples), seed_, static_cast<uint64_t>(source),
                            static_cast<uint64_t>(epoch));
    return {source, epoch, static_cast<int64_t>(order(static_cast<uint64_t>(index % samples)))};
}

}  // namespace polytrain
