// IQ4_XS: 256 elements in 136 bytes: f16 d, the upper bit pairs of eight scales (16 bits), their nibbles (4
// bytes), 128 bytes of nibbles. value = d * (sc - 32) * codebook[q], one sc for 32 elements.
#include <algorithm>

#include "weights/codecs/block.h"
#include "weights/codecs/fit_scale.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 136;
constexpr QuantLayout kLayout{
    .scale = ScaleKind::kSuperI8, .bits = 4, .group = 32, .block = 256, .codebook = &kIq4Codebook};
constexpr IntegerRange kScales{-32, 31};

void decompose(const std::byte* block, QuantBlock& out) {
  const int high = load_u16(block + 2);
  for (int g = 0; g < 8; ++g) {
    const std::byte pair = block[4 + g / 2];
    const int low = g % 2 == 0 ? low_nibble(pair) : high_nibble(pair);
    out.sc[g] = static_cast<std::int8_t>((low | (high >> (2 * g) & 3) << 4) - 32);
    unpack_nibbles_32(block + 8 + 16 * g, out.q + 32 * g);
  }
  out.d = load_u16(block);
  out.m = 0;
}

void compose(const QuantBlock& block, std::byte* out) {
  int high = 0;
  std::fill(out + 4, out + 8, std::byte{0});
  for (int g = 0; g < 8; ++g) {
    const int scale = block.sc[g] + 32;
    high |= (scale >> 4) << (2 * g);
    out[4 + g / 2] |= static_cast<std::byte>((scale & 15) << (g % 2 * 4));
    pack_nibbles_32(block.q + 32 * g, out + 8 + 16 * g);
  }
  store_u16(block.d, out);
  store_u16(static_cast<std::uint16_t>(high), out + 2);
}

}  // namespace

const Codec kCodecIQ4_XS = fitted_codec<kLayout, kBytes, kScales, decompose, compose>(Dtype::kIQ4_XS);

}  // namespace partita::internal
