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
