// MXFP4 (Open Compute Project 2023): 32 elements in 17 bytes: an exponent e, 16 bytes of nibbles. value =
// 2^(e - 128) * v, where v is twice the FP4 element: 0, 1, 2, 3, 4, 6, 8 or 12, with a sign.
#include <algorithm>
#include <cmath>

#include "weights/codecs/block.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 17;
constexpr QuantLayout kLayout{
    .scale = ScaleKind::kE8M0, .bits = 4, .group = 32, .block = 32, .codebook = &kFp4Codebook};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = std::to_integer<std::uint16_t>(block[0]);
  out.m = 0;
  unpack_nibbles_32(block + 1, out.q);
}

/// The nibble of the nearest value, of equally near ones the first.
std::uint8_t nearest(float value, float scale) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < 16; ++i) {
    const auto error = [&](std::size_t of) {
      return std::fabs(scale * static_cast<float>(kFp4Codebook[of]) - value);
    };
    if (error(i) < error(best)) best = i;
  }
  return static_cast<std::uint8_t>(best);
}

void quantize(const float* values, std::size_t n, std::byte* out) {
  for (std::size_t i = 0; i < n; i += 32, out += kBytes) {
    const float most = std::fabs(range_32(values + i).extreme);
    const float exponent = most > 0 ? std::floor(std::log2(most)) + 125 : 0;
    const auto e = static_cast<std::uint8_t>(std::clamp(exponent, 0.0f, 254.0f));
    std::uint8_t q[32];
    for (int j = 0; j < 32; ++j) q[j] = nearest(values[i + static_cast<std::size_t>(j)], e8m0_scale(e));
    out[0] = std::byte{e};
    pack_nibbles_32(q, out + 1);
  }
}

}  // namespace

float e8m0_scale(std::uint8_t e) { return std::ldexp(1.0f, e - 128); }

const Codec kCodecMXFP4{Dtype::kMXFP4, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, quantize,
                        decompose};

}  // namespace partita::internal
