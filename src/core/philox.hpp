#pragma once
// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3" (SC'11). Every random number of a run is a pure function of (seed, purpose, index):
// never of a rank, a thread or the order of calls.

#include <array>
#include <cstdint>
#include <string_view>

namespace polytrain {

struct PhiloxKey {
    uint32_t k0 = 0, k1 = 0;
};

// FNV-1a, 64 bit: names a purpose ("init/layers.0.attention.qkv") in the key space.
constexpr uint64_t purpose_hash(std::string_view purpose) {
    uint64_t hash = 0xcbf29ce484222325ull;
    for (char c : purpose) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ull;
    return hash;
}

// splitmix64's finaliser: spreads the bits of x over the word.
constexpr uint64_t mix_bits(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

// The key of a purpose under a seed.
constexpr PhiloxKey philox_key(uint64_t seed, std::string_view purpose) {
    const uint64_t mixed = mix_bits(mix_bits(seed + 0x9e3779b97f4a7c15ull) ^ purpose_hash(purpose));
    return {static_cast<uint32_t>(mixed), static_cast<uint32_t>(mixed >> 32)};
}

// Four 32-bit words for counter (low, high).
constexpr std::array<uint32_t, 4> philox(PhiloxKey key, uint64_t low, uint64_t high = 0) {
    std::array<uint32_t, 4> c{static_cast<uint32_t>(low), static_cast<uint32_t>(low >> 32),
                              static_cast<uint32_t>(high), static_cast<uint32_t>(high >> 32)};
    for (int round = 0; round < 10; ++round) {
        const uint64_t p0 = 0xD2511F53ull * c[0];
        const uint64_t p1 = 0xCD9E8D57ull * c[2];
        c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ key.k0, static_cast<uint32_t>(p1),
             static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ key.k1, static_cast<uint32_t>(p0)};
        key.k0 += 0x9E3779B9u;
        key.k1 += 0xBB67AE85u;
    }
    return c;
}

// Uniform in [0, 1) with 53 random bits.
constexpr double uniform_from(uint32_t high, uint32_t low) {
    return static_cast<double>((uint64_t{high} << 21) ^ (low >> 11)) * 0x1p-53;
}

// Uniform integer in [0, bound), bound > 0 (multiply-shift; bias below bound / 2^64).
constexpr uint64_t uniform_below(const std::array<uint32_t, 4>& words, uint64_t bound) {
    const uint64_t r = (uint64_t{words[0]} << 32) | words[1];
    return static_cast<uint64_t>((static_cast<unsigned __int128>(r) * bound) >> 64);
}

}  // namespace polytrain
