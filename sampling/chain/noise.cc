#include "sampling/chain/noise.h"

#include <array>
#include <cmath>

namespace partita {
namespace {

// Lanes of DrawKey: one for each block, one for each id.
constexpr std::uint32_t kBlockLanes = 0x40000000, kIdLanes = 0x80000000;

/// Exp(1) from 52 random bits: -log u, u an odd multiple of 2^-53 in (0, 1).
double exponential(const std::array<std::uint32_t, 4>& bits) {
  const std::uint64_t word = (std::uint64_t{bits[0]} << 32) | bits[1];
  return -std::log((static_cast<double>(word >> 12) + 0.5) * 0x1p-52);
}

}  // namespace

Noise::Block Noise::block(std::size_t b) const {
  const auto bits = random_bits(key_, kBlockLanes | static_cast<std::uint32_t>(b));
  Block block;
  block.first = exponential(bits) / static_cast<double>(kNoiseBlock);
  block.which = bits[2] % kNoiseBlock;
  block.most = -std::log(block.first);
  return block;
}

double Noise::of(const Block& block, std::int32_t id) const {
  const auto lane = static_cast<std::uint32_t>(id);
  if (lane % kNoiseBlock == block.which) return block.most;
  return -std::log(block.first + exponential(random_bits(key_, kIdLanes | lane)));
}

}  // namespace partita
