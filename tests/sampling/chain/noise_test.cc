// The Gumbel noise of draws: its formula from Philox's bits, and the bound by which a head skips words.
#include "sampling/chain/noise.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/catch.h"

namespace partita::internal::test {
namespace {

double exponential(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t word = (std::uint64_t{high} << 32) | low;
  return -std::log((static_cast<double>(word >> 12) + 0.5) / 4503599627370496.0);  // 2^52
}

TEST_CASE("The noise of an id is the -log of its arrival time in the race of its noise tile") {
  for (std::uint64_t step = 0; step < 50; ++step) {
    const DrawKey key{77, step / 10, step};
    const Noise noise(key);
    const std::size_t t = step * 3;
    const auto bits = random_bits(key, 0x40000000U | static_cast<std::uint32_t>(t));
    const NoiseTile tile = noise.tile(t);
    CHECK(tile.first == exponential(bits[0], bits[1]) / 256);
    CHECK(tile.which == bits[2] % 256);
    CHECK(tile.most == -std::log(tile.first));
    for (std::uint32_t index = 0; index < 256; ++index) {
      const auto id = static_cast<std::uint32_t>(256 * t) + index;
      const auto own = random_bits(key, 0x80000000U | id);
      const double expected =
          index == tile.which ? tile.most : -std::log(tile.first + exponential(own[0], own[1]));
      REQUIRE(noise.of(tile, static_cast<std::int32_t>(id)) == expected);
      REQUIRE(expected <= tile.most);
    }
  }
}

TEST_CASE("No noise is above the bound, and the bound is hardly above it") {
  // The smallest exponential has 52 set bits: -log(1 - 2^-53) = 2^-53 in double. A tile's first arrival is
  // 1/256 of it.
  const double largest = -std::log(exponential(0xFFFFFFFFU, 0xFFFFFFFFU) / 256);
  CHECK(largest == Approx(61 * std::log(2.0)).epsilon(1e-12));
  CHECK(kMaxNoise >= largest);
  CHECK(kMaxNoise < largest + 0.01);
  CHECK(kNoiseTile == 256);
}

TEST_CASE("A race returns the largest key, the lowest index of a tie, from any first tile") {
  const Noise noise(DrawKey{1, 2, 3});
  std::vector<float> values(1000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 7919 % 101) / 10;
  const double factor = 0.7, shift = 4;
  std::size_t best = 0;
  double best_key = -INFINITY;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double key = factor * (static_cast<double>(values[i]) - shift) +
                       noise.of(noise.tile(i / 256), static_cast<std::int32_t>(i));
    if (key > best_key) best = i;
    best_key = std::max(best_key, key);
  }
  for (std::size_t begin = 0; begin < 4; ++begin) {
    Race race(noise, factor, shift);
    race.add_all(values, begin, [&](std::size_t tile) {
      return *std::max_element(
          values.begin() + static_cast<std::ptrdiff_t>(256 * tile),
          values.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(256 * tile + 256, 1000)));
    });
    CHECK(race.winner() == best);
  }
  // The same id at two indices has the same key.
  Race ties(noise, 1, 0);
  const NoiseTile tile = noise.tile(0);
  const float same[] = {1, 1};
  const auto id_of = [](std::size_t) { return 9; };
  ties.add(tile, same, 4, id_of);
  ties.add(tile, same, 2, id_of);
  ties.add(tile, same, 6, id_of);
  CHECK(ties.winner() == 2);
  CHECK(ties.is_open(1000));
  CHECK_FALSE(ties.is_open(-1000));
}

}  // namespace
}  // namespace partita::internal::test
