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
  /// LongRoPE (Ding et al. 2024): the same for sequences with a limit (Config::rope_limit()); empty: no
  /// difference.
  std::vector<float> long_inverse_frequency = {};
  /// Dynamic scaling by neural tangent kernels (transformers' "dynamic"): the base grows with the limit of a
  /// sequence beyond the original context. 0: none.
  double dynamic_factor = 0;
  double original_context = 0;  // tokens

  std::span<const float> frequencies(std::uint32_t limit) const {
    return limit > 0 && !long_inverse_frequency.empty() ? long_inverse_frequency : inverse_frequency;
  }

  /// Of two neighbouring pairs, by how much the frequency falls more than without scaling: 1 without a limit.
  double dynamic_step(std::uint32_t limit) const;
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
