#pragma once
// The one file that knows which Catch2 this is (2 on Debian 12, 3 on later systems).

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
#include <catch2/catch.hpp>
// Catch2 3's name.
inline auto ContainsSubstring(const std::string& text) {  // NOLINT(readability-identifier-naming)
    return Catch::Matchers::Contains(text);
}
#endif
