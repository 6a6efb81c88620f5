#pragma once
// The one file that knows which Catch2 this is (2 on Debian 12, 3 on later systems).

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
