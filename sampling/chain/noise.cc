#include "sampling/chain/noise.h"

#include <array>
#include <cmath>

namespace partita::internal {
namespace {

// Draw streams: one for each noise tile, one for each id.
constexpr std::uint32_t kTileStreams = 0x40000000, kIdStreams = 0x80000000;

/// Exp(1) from 52 random bits: -log u, u an odd multiple of 2^-53 in (0, 1).
double exponential(const std::array<std::uint32_t, 4>& bits) {
  const std::uint64_t word = (std::uint64_t{bits[0]} << 32) | bits[1];
  return -std::log((static_cast<double>(word >> 12) + 0.5) * 0x1p-52);
}

}  // namespace

NoiseTile Noise::tile(std::size_t t) const {
  const auto bits = random_bits(key_, kTileStreams | static_cast<std::uint32_t>(t));
  NoiseTile tile;
  tile.first = exponential(bits) / static_cast<double>(kNoiseTile);
  tile.which = bits[2] % kNoiseTile;
  tile.most = -std::log(tile.first);
  return tile;
}

double Noise::of(const NoiseTile& tile, std::int32_t id) const {
  const auto index = static_cast<std::uint32_t>(id);
  if (index % kNoiseTile == tile.which) return tile.most;
  return -std::log(tile.first + exponential(random_bits(key_, kIdStreams | index)));
}

}  // namespace partita::internal
