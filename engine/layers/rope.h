// Angles of rotary position embedding (Su et al. 2021).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace partita::internal {

/// Instead of an index into Config::rope: the layer has no RoPE.
inline constexpr std::uint8_t kNoRope = 0xFF;

/// The token at position p rotates pair i of a head by p * inverse_frequency[i], and scales it by
/// `magnitude`.
struct Rope {
  std::vector<float> inverse_frequency;  // [rotated pairs of a head]
  float magnitude = 1;
  /// LongRoPE (Ding et al. 2024): the same for long sequences (Config::is_long()); empty: no difference.
  std::vector<float> long_inverse_frequency = {};

  std::span<const float> frequencies(bool is_long) const {
    return is_long && !long_inverse_frequency.empty() ? long_inverse_frequency : inverse_frequency;
  }
};

/// inverse_frequency[i] = base^(-2i / dims), of the first `dims` dimensions of a head.
Rope make_rope(double base, std::uint32_t dims);

/// YaRN (Peng et al. 2023): a context of `factor` times `original_context`.
struct Yarn {
  double factor = 1;
  double original_context = 0;           // tokens
  double beta_fast = 32, beta_slow = 1;  // rotations within the original context
  bool whole_pairs = true;  // the first and the last index of a pair between them are rounded outwards
};

/// Divides the frequency of a pair by the factor, if the pair rotates at most beta_slow times within the
/// original context; keeps it from beta_fast rotations on; in between, both in proportion to the index of the
/// pair. Raises the magnitude to 1 + ln(factor) / 10. rope: of make_rope(base, ...).
void apply_yarn(const Yarn& yarn, double base, Rope& rope);

}  // namespace partita::internal
