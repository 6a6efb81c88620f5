#include "core/crc32c.hpp"

#include <string>

#include "support/random.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("crc32c: the check value, and the vectors of RFC 3720, B.4") {
    CHECK(crc32c("123456789") == 0xe3069283);
    CHECK(crc32c("") == 0);
    CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
    CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
    std::string rising, falling;
    for (int i = 0; i < 32; ++i) {
        rising += static_cast<char>(i);
        falling += static_cast<char>(31 - i);
    }
    CHECK(crc32c(rising) == 0x46dd794e);
    CHECK(crc32c(falling) == 0x113fdb5c);
}

TEST_CASE("crc32c: any flipped bit changes it") {
    Random random("crc32c");
    std::string bytes;
    for (int i = 0; i < 100; ++i) bytes += static_cast<char>(random.integer(0, 255));
    const uint32_t whole = crc32c(bytes);
    for (size_t i = 0; i < 800; ++i) {
        std::string flipped = bytes;
        flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
        CHECK(crc32c(flipped) != whole);
    }
}
