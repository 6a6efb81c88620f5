#include "core/bf16.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"

using namespace polytrain;

TEST_CASE("bf16: nearest, ties to even, infinities and NaN kept") {
    const auto through = [](float x) { return static_cast<float>(Bf16(x)); };
    for (float x : {0.0f, -0.0f, 1.0f, -2.5f, 0x1.fep3f}) CHECK(through(x) == x);
    CHECK(std::signbit(through(-0.0f)));
    CHECK(through(1.0f + 0x1p-8f) == 1.0f);                      // a tie: to the even 1
    CHECK(through(1.0f + 0x1p-7f + 0x1p-8f) == 1.0f + 0x1p-6f);  // a tie: to the even above
    CHECK(through(1.0f + 0x1.002p-8f) == 1.0f + 0x1p-7f);
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    CHECK(through(kInfinity) == kInfinity);
    CHECK(through(-kInfinity) == -kInfinity);
    CHECK(through(std::numeric_limits<float>::max()) == kInfinity);
    CHECK(std::isnan(through(std::numeric_limits<float>::quiet_NaN())));
    // A NaN whose payload is in the lower half only must not become an infinity.
    CHECK(std::isnan(through(std::bit_cast<float>(0x7f800001u))));
}

TEST_CASE("bf16: an f32 in two parts is whole again, and its first part is the nearest bf16") {
    const auto check = [](uint32_t bits) {
        const auto value = std::bit_cast<float>(bits);
        const SplitFloat parts = split_float(value);
        const float joined = join_float(parts.rounded, parts.remainder);
        if (std::isnan(value))
            return std::isnan(joined) && std::isnan(static_cast<float>(parts.rounded));
        const Bf16 even(value);  // as near, but for ties
        const bool is_tie = (bits & 0xffffu) == 0x8000u;
        return std::bit_cast<uint32_t>(joined) == bits &&
               (is_tie ? parts.rounded.bits == (bits >> 16) + 1 : parts.rounded.bits == even.bits);
    };
    for (uint32_t high : {0x0000u, 0x0001u, 0x3f80u, 0x3f81u, 0x7f7fu, 0x7f80u, 0x7fffu})
        for (uint32_t sign : {0u, 0x8000u})
            for (uint32_t low = 0; low < 0x10000u; ++low)
                if (!check((sign | high) << 16 | low)) FAIL(((sign | high) << 16 | low));
}
