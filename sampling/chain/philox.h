// Counter-based random numbers: a draw is a pure function of (seed, sequence, position), independent of other
// draws. Philox4x32-10, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <array>
#include <cstdint>

#include "partita/draw_key.hpp"

namespace partita::internal {

/// The ten-round Philox block cipher. Known-answer tests: Random123's kat_vectors.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// Independent draws at one position. A stage that draws has a stream of its own. Streams from 2^29 on choose
/// the part of a vocabulary that a token is in (adaptive_draw.h), those from 2^30 on are the Gumbel noise of
/// token draws (noise.cc).
enum DrawStream : std::uint32_t { kXtcStream = 1, kPartStream = std::uint32_t{1} << 29 };

/// 128 random bits.
std::array<std::uint32_t, 4> random_bits(const DrawKey& key, std::uint32_t stream);

/// A double in [0, 1) with 53 random bits.
double uniform(const DrawKey& key, std::uint32_t stream = 0);

}  // namespace partita::internal
