// Catch2 under either of its names: v3 has catch_all.hpp, v2 (Debian 12) has catch.hpp.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
