#include "sampling/chain/philox.h"

#include <set>

#include "tests/catch.h"

using partita::DrawKey;
using partita::internal::philox4x32;
using partita::internal::uniform;

namespace {

using Words = std::array<std::uint32_t, 4>;

TEST_CASE("Philox4x32-10 gives Random123's known answers") {
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint32_t kOnes = 0xffffffff;
  CHECK(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("A draw is the upper 53 bits of the first two words") {
  CHECK(uniform({0, 0, 0}) == static_cast<double>(0x6627e8d5e169c58dU >> 11) * 0x1p-53);
  CHECK(uniform({0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88}) ==
        static_cast<double>(0xd16cfe0994fdccebU >> 11) * 0x1p-53);
}

TEST_CASE("Seed, sequence, position and stream, in both their words, all change the draw") {
  std::set<double> draws;
  std::size_t made = 0;
  for (const std::uint64_t step : {std::uint64_t{1}, std::uint64_t{1} << 32}) {
    for (std::uint64_t i = 1; i <= 100; ++i) {
      draws.insert({uniform({i * step, 0, 0}), uniform({0, i * step, 0}), uniform({0, 0, i * step})});
      made += 3;
    }
  }
  for (std::uint32_t lane = 0; lane < 1000; ++lane, ++made) draws.insert(uniform({7, 7, 7}, lane));
  CHECK(draws.size() == made);
}

TEST_CASE("Draws fill [0, 1) evenly along positions and along sequences") {
  for (const bool along_positions : {true, false}) {
    constexpr int kDraws = 64000, kCells = 64;
    std::array<int, kCells> seen{};
    for (std::uint64_t i = 0; i < kDraws; ++i) {
      const double u = along_positions ? uniform({42, 0, i}) : uniform({42, i, 0});
      REQUIRE(u >= 0);
      REQUIRE(u < 1);
      ++seen[static_cast<std::size_t>(u * kCells)];
    }
    double chi_square = 0;
    for (const int n : seen) chi_square += (n - 1000.0) * (n - 1000.0) / 1000.0;
    CHECK(chi_square < 103.4);  // 63 degrees of freedom, p = 0.001
    CHECK(chi_square > 34.3);   // p = 0.999: too even is not random either
  }
}

}  // namespace
