#include "core/philox.hpp"

#include <set>

#include "support/catch.hpp"

using namespace polytrain;

TEST_CASE("philox: known answers of Random123") {
    using Words = std::array<uint32_t, 4>;
    CHECK(philox({0, 0}, 0, 0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    CHECK(philox({0xffffffff, 0xffffffff}, ~0ull, ~0ull) ==
          Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(philox({0xa4093822, 0x299f31d0}, 0x85a308d3243f6a88, 0x0370734413198a2e) ==
          Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("philox: purposes and seeds have keys of their own") {
    std::set<std::pair<uint32_t, uint32_t>> keys;
    for (uint64_t seed = 0; seed < 100; ++seed)
        for (const char* purpose : {"init/a", "init/b", "data", ""}) {
            const PhiloxKey key = philox_key(seed, purpose);
            keys.emplace(key.k0, key.k1);
        }
    CHECK(keys.size() == 400);
}

TEST_CASE("uniform_from: from 0 to just below 1") {
    CHECK(uniform_from(0, 0) == 0.0);
    CHECK(uniform_from(0xffffffff, 0xffffffff) < 1.0);
    CHECK(uniform_from(0x80000000, 0) == 0.5);
    CHECK(uniform_below({0xffffffff, 0xffffffff, 0, 0}, 10) == 9);
    CHECK(uniform_below({0, 0, 0, 0}, 10) == 0);
}
