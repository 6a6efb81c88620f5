#include "core/utf8.hpp"

#include <set>

#include "support/catch.hpp"

using namespace polytrain;

TEST_CASE("UTF-8 is what encodes a code point, and nothing else") {
    std::set<std::string> whole, cut;  // all characters, and all proper starts of characters
    for (char32_t code = 0; code < 0x110000; ++code) {
        if (code >= 0xd800 && code < 0xe000) continue;
        std::string text;
        append_utf8(text, code);
        // Of the longer ones the first two bytes and a few of the last decide.
        if (code >= 0x1000 && code % 64 > 2 && code % 64 < 62) continue;
        const Utf8Character c = decode_utf8(text + "x");
        REQUIRE(c.code == code);
        REQUIRE(c.bytes == text.size());
        whole.insert(text);
        for (size_t bytes = 1; bytes < text.size(); ++bytes) cut.insert(text.substr(0, bytes));
    }
    const auto check = [&](const std::string& text) {
        size_t expected = 0;
        for (size_t bytes = 1; bytes <= text.size(); ++bytes)
            if (whole.contains(text.substr(0, bytes))) expected = bytes;
        CAPTURE(text);
        REQUIRE(decode_utf8(text).bytes == expected);
        REQUIRE(is_cut_utf8(text) == cut.contains(text));
    };
    for (int a = 0; a < 256; ++a) {
        check({static_cast<char>(a)});
        for (int b = 0; b < 256; ++b) {
            check({static_cast<char>(a), static_cast<char>(b)});
            if (a < 0xe0) continue;
            for (const int c : {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff}) {
                check({static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)});
                for (const int d : {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff})
                    check({static_cast<char>(a), static_cast<char>(b), static_cast<char>(c),
                           static_cast<char>(d)});
            }
        }
    }
}

TEST_CASE("the valid start of a text ends at the first byte that isn't UTF-8") {
    for (const size_t ascii : {0, 1, 7, 8, 9, 16, 23}) {
        const std::string start(ascii, 'a');
        CHECK(valid_utf8_prefix(start) == ascii);
        CHECK(valid_utf8_prefix(start + "\xc3\xa9") == ascii + 2);
        CHECK(valid_utf8_prefix(start + "\xc3\xa9" + start + "\xff" + start) == 2 * ascii + 2);
        CHECK(valid_utf8_prefix(start + "\xe2\x82") == ascii);
        CHECK(valid_utf8_prefix(start + "\xed\xa0\x80") == ascii);
    }
}
