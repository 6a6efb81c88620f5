#include "data/tokenizer/normalizer.hpp"

#include "support/catch.hpp"

using namespace polytrain;

namespace {

std::string nfc(const std::string& text) {
    Normalizer normalizer;
    normalizer.add(make_nfc());
    std::string buffer;
    int64_t forced_cuts = 0;
    std::string normalized(normalizer.apply(text, true, buffer, forced_cuts));
    CHECK(forced_cuts == 0);
    return normalized;
}

}  // namespace

TEST_CASE("NFC orders and composes, by the tables of Unicode 9") {
    CHECK(nfc("cafe\xcc\x81 na\xc3\xafve") == "caf\xc3\xa9 na\xc3\xafve");
    CHECK(nfc("A\xcc\x8a \xe2\x84\xab") == "\xc3\x85 \xc3\x85");  // A + ring, Angstrom sign
    CHECK(nfc("a\xcc\x81\xcc\xa3") == "\xe1\xba\xa1\xcc\x81");    // below before above
    CHECK(nfc("\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8") == "\xea\xb0\x81");  // Hangul
    CHECK(nfc("\xe0\xa5\x98") == "\xe0\xa4\x95\xe0\xa4\xbc");              // excluded: decomposed
    CHECK(nfc("\xcc\x81") == "\xcc\x81");
    CHECK(nfc("").empty());
    // U+09FE is a mark since Unicode 11, and none in 9: nothing moves across it.
    CHECK(nfc("a\xe0\xa7\xbe\xcc\xa3") == "a\xe0\xa7\xbe\xcc\xa3");
    CHECK(nfc("a\xcc\xa3\xe0\xa7\xbe") == "\xe1\xba\xa1\xe0\xa7\xbe");
}

TEST_CASE("a text that goes on is settled up to where composing may reach") {
    Normalizer normalizer;
    normalizer.add(make_nfc());
    CHECK(normalizer.settled("abc") == 2);
    CHECK(normalizer.settled("ae\xcc\x81\xcc\xa3") == 1);
    CHECK(normalizer.settled("\xcc\x81") == 0);
    CHECK(normalizer.settled("") == 0);
    Normalizer replacing;
    replacing.add(make_replace(" ", "\xe2\x96\x81"));
    CHECK(replacing.settled("a b") == 3);
    replacing.add(make_replace("''", "\""));  // of two characters: more text may bring the second
    CHECK(replacing.settled("a b") == 0);
}
