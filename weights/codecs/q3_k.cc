// Q3_K: 256 elements in 110 bytes: 32 bytes of third bits, 64 of lower bit pairs, 12 of six-bit scales, f16
// d. value = d * (sc - 32) * (q - 4), one sc for 16 elements.
#include <algorithm>

#include "weights/codecs/block.h"
#include "weights/codecs/fit_scale.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 110;
constexpr Codebook kLevels = codebook_of({-4, -3, -2, -1, 0, 1, 2, 3});
constexpr QuantLayout kLayout{
    .scale = ScaleKind::kSuperI8, .bits = 3, .group = 16, .block = 256, .codebook = &kLevels};
constexpr IntegerRange kScales{-32, 31};

/// Scale g of 16: four bits in byte g mod 8, the upper two in byte 8 + g mod 4.
int scale_of(const std::byte* scales, int g) {
  const std::byte low = scales[g % 8], high = scales[8 + g % 4];
  return (g < 8 ? low_nibble(low) : high_nibble(low)) |
         std::to_integer<int>(high >> (g / 4 * 2) & std::byte{3}) << 4;
}

void decompose(const std::byte* block, QuantBlock& out) {
  for (int i = 0; i < 8; ++i) {  // bit i of byte j belongs to element j of these 32
    std::uint8_t* q = out.q + 32 * i;
    unpack_bit_pairs(block + 32 + i / 4 * 32, 32, i % 4 * 2, q);
    for (int j = 0; j < 32; ++j) q[j] |= std::to_integer<std::uint8_t>(block[j] >> i & std::byte{1}) << 2;
  }
  for (int g = 0; g < 16; ++g) out.sc[g] = static_cast<std::int8_t>(scale_of(block + 96, g) - 32);
  out.d = load_u16(block + 108);
  out.m = 0;
}

void compose(const QuantBlock& block, std::byte* out) {
  std::fill(out, out + kBytes, std::byte{0});
  for (int i = 0; i < 8; ++i) {
    const std::uint8_t* q = block.q + 32 * i;
    pack_bit_pairs(q, 32, i % 4 * 2, out + 32 + i / 4 * 32);
    for (int j = 0; j < 32; ++j) out[j] |= static_cast<std::byte>((q[j] >> 2) << i);
  }
  for (int g = 0; g < 16; ++g) {  // scale_of() backwards
    const int scale = block.sc[g] + 32;
    out[96 + g % 8] |= static_cast<std::byte>((scale & 15) << (g < 8 ? 0 : 4));
    out[104 + g % 4] |= static_cast<std::byte>((scale >> 4) << (g / 4 * 2));
  }
  store_u16(block.d, out + 108);
}

}  // namespace

const Codec kCodecQ3_K = fitted_codec<kLayout, kBytes, kScales, decompose, compose>(Dtype::kQ3_K);

}  // namespace partita::internal
