#pragma once
// The sample order of docs/data.md, "Sample order", written a second time from that page alone: no
// line of it is shared with src/.

#include <cstdint>
#include <string>
#include <vector>

namespace polytrain::testing {

class SampleOrderOracle {
  public:
    struct Source {
        int64_t samples;
        double weight;
    };
    struct Place {
        int64_t source, epoch, sample;
        bool operator==(const Place&) const = default;
    };

    SampleOrderOracle(uint64_t seed, std::vector<Source> sources)
        : seed_(seed), sources_(std::move(sources)) {}

    Place operator()(int64_t global) const {
        Wide left = static_cast<Wide>(global);
        for (size_t i = 0;; ++i) {
            const Wide share = share_of(i);
            const Wide before = (left * share + kHalf) / kWhole;
            const Wide after = ((left + 1) * share + kHalf) / kWhole;
            if (after == before) {
                left -= before;
                continue;
            }
            const Wide epoch = before / static_cast<Wide>(sources_[i].samples);
            const Wide position = before % static_cast<Wide>(sources_[i].samples);
            return {static_cast<int64_t>(i), static_cast<int64_t>(epoch),
                    static_cast<int64_t>(shuffled(static_cast<uint64_t>(position), i,
                                                  static_cast<uint64_t>(epoch)))};
        }
    }

  private:
    using Wide = unsigned __int128;
    static constexpr Wide kWhole = static_cast<Wide>(1) << 62, kHalf = kWhole / 2;

    Wide share_of(size_t i) const {
        double rest = 0;
        for (size_t j = sources_.size(); j > i; --j) rest = rest + sources_[j - 1].weight;
        return static_cast<Wide>(sources_[i].weight / rest * 4611686018427387904.0);
    }

    uint64_t shuffled(uint64_t x, uint64_t source, uint64_t epoch) const {
        const auto samples = static_cast<uint64_t>(sources_[source].samples);
        int h = 0;
        while (static_cast<Wide>(1) << (2 * h) < samples) ++h;
        const uint64_t half = uint64_t{1} << h;
        do {
            uint64_t l = x / half, r = x % half;
            for (uint64_t round = 0; round < 8; ++round) {
                const uint64_t f = mix(r + round_key(source, epoch, round)) % half;
                const uint64_t old_r = r;
                r = l ^ f;
                l = old_r;
            }
            x = l * half + r;
        } while (x >= samples);
        return x;
    }

    // Philox4x32-10 as Salmon et al. define it.
    uint64_t round_key(uint64_t source, uint64_t epoch, uint64_t round) const {
        uint64_t purpose = 14695981039346656037u;
        for (const char c : std::string("data/order")) {
            purpose ^= static_cast<unsigned char>(c);
            purpose *= 1099511628211u;
        }
        const uint64_t key = mix(mix(seed_ + 0x9e3779b97f4a7c15u) ^ purpose);
        const uint64_t high = 8 * source + round;
        uint32_t k[2] = {low32(key), high32(key)};
        uint32_t c[4] = {low32(epoch), high32(epoch), low32(high), high32(high)};
        for (int i = 0; i < 10; ++i) {
            const uint64_t a = uint64_t{c[0]} * 0xD2511F53u, b = uint64_t{c[2]} * 0xCD9E8D57u;
            const uint32_t next[4] = {high32(b) ^ c[1] ^ k[0], low32(b), high32(a) ^ c[3] ^ k[1],
                                      low32(a)};
            for (int w = 0; w < 4; ++w) c[w] = next[w];
            k[0] += 0x9E3779B9u;
            k[1] += 0xBB67AE85u;
        }
        return uint64_t{c[1]} * 4294967296u + c[0];
    }

    static uint32_t low32(uint64_t x) { return static_cast<uint32_t>(x % 4294967296u); }
    static uint32_t high32(uint64_t x) { return static_cast<uint32_t>(x / 4294967296u); }
    static uint64_t mix(uint64_t x) {
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
        x = (x ^ x >> 27) * 0x94d049bb133111ebu;
        return x ^ x >> 31;
    }

    uint64_t seed_;
    std::vector<Source> sources_;
};

}  // namespace polytrain::testing
