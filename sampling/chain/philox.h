// Counter-based random numbers: a draw is a pure function of (seed, sequence, position), whoever else is
// drawing. Philox4x32-10, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <array>
#include <cstdint>

#include "partita/draw_key.hpp"

namespace partita {

/// The ten-round Philox block cipher. Known-answer tests: Random123's kat_vectors.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// Independent draws at one position. A stage that draws has a lane of its own; those from 2^29 on say in
/// which part of a vocabulary a token is (adaptive_draw.h), those from 2^30 on are the noise that tokens are
/// drawn with (noise.cc).
enum DrawLane : std::uint32_t { kXtcLane = 1, kPartLane = std::uint32_t{1} << 29 };

/// 128 random bits.
std::array<std::uint32_t, 4> random_bits(const DrawKey& key, std::uint32_t lane);

/// A double in [0, 1) with 53 random bits.
double uniform(const DrawKey& key, std::uint32_t lane = 0);

}  // namespace partita
