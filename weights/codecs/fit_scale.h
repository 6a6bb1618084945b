// Chooses the scales of quantized blocks so that the weighted squared error is small. Candidate scales are
// tried in turn: each rounds the values, and least squares over the rounded values gives the scale (and
// minimum) that fits them best. The best candidate is refined by rounding and fitting again.
#pragma once

#include <cstddef>

#include "weights/codecs/block.h"
#include "weights/codecs/codec.h"

namespace partita::internal {

/// The integers from `low` to `high`, of which low is at most 0.
struct IntegerRange {
  int low, high;
};

/// Quantizes one block. layout: of kinds kF16 to kSuperI8, with a factor of 1; levels ascend. scales: the
/// range of the integer scales of kSuper, kSuperU4 and kSuperI8; other kinds ignore it. values: layout.block
/// floats. importance: what a squared error of each value costs, at least 0; null: all cost the same. Fills
/// the fields of `out` that layout.scale has.
void fit_block(const QuantLayout& layout, IntegerRange scales, const float* values, const float* importance,
               QuantBlock& out);

/// Codec::quantize_weighted of a type, from its layout and its compose function, which packs a QuantBlock.
template <const QuantLayout& kLayout, std::size_t kBytes, const IntegerRange& kScales,
          void (*kCompose)(const QuantBlock&, std::byte*)>
void quantize_weighted_blocks(const float* values, const float* importance, std::size_t n, std::byte* out) {
  QuantBlock block;
  for (std::size_t i = 0; i < n; i += kLayout.block, out += kBytes) {
    fit_block(kLayout, kScales, values + i, importance == nullptr ? nullptr : importance + i, block);
    kCompose(block, out);
  }
}

/// Codec::quantize of a type: the same without importance.
template <const QuantLayout& kLayout, std::size_t kBytes, const IntegerRange& kScales,
          void (*kCompose)(const QuantBlock&, std::byte*)>
void quantize_blocks(const float* values, std::size_t n, std::byte* out) {
  quantize_weighted_blocks<kLayout, kBytes, kScales, kCompose>(values, nullptr, n, out);
}

/// A type whose writer searches for scales, with or without importance.
template <const QuantLayout& kLayout, std::size_t kBytes, const IntegerRange& kScales,
          void (*kDecompose)(const std::byte*, QuantBlock&), void (*kCompose)(const QuantBlock&, std::byte*)>
constexpr Codec fitted_codec(Dtype dtype) {
  return {dtype,
          kLayout,
          dequantize_blocks<kLayout, kBytes, kDecompose>,
          quantize_blocks<kLayout, kBytes, kScales, kCompose>,
          kDecompose,
          quantize_weighted_blocks<kLayout, kBytes, kScales, kCompose>};
}

}  // namespace partita::internal
