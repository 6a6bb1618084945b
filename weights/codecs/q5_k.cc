// Q5_K: 256 elements in 176 bytes: f16 d, f16 dmin, 12 bytes of six-bit scales and minimums, 32 of fifth
// bits, 128 of nibbles. value = d * sc * q - dmin * mn, one sc and mn for 32 elements.
#include <algorithm>

#include "weights/codecs/block.h"
#include "weights/codecs/fit_scale.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 176;
constexpr QuantLayout kLayout{.scale = ScaleKind::kSuper, .bits = 5, .group = 32, .offset = 0, .block = 256};
constexpr IntegerRange kScales{0, 63};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = load_u16(block + 2);
  unpack_scales_6bit(block + 4, out.sc, out.mn);
  const std::byte* fifth = block + 16;  // bit g of byte i belongs to element i of group g
  const std::byte* nibbles = block + 48;
  for (int pair = 0; pair < 4; ++pair, nibbles += 32) {  // 32 bytes: one group low, the next one high
    std::uint8_t* q = out.q + 64 * pair;
    for (int i = 0; i < 32; ++i) {
      const int bits = std::to_integer<int>(fifth[i]) >> (2 * pair);
      q[i] = static_cast<std::uint8_t>(low_nibble(nibbles[i]) | (bits & 1) << 4);
      q[i + 32] = static_cast<std::uint8_t>(high_nibble(nibbles[i]) | (bits >> 1 & 1) << 4);
    }
  }
}

void compose(const QuantBlock& block, std::byte* out) {
  store_u16(block.d, out);
  store_u16(block.m, out + 2);
  pack_scales_6bit(block.sc, block.mn, out + 4);
  std::byte* fifth = out + 16;
  std::byte* nibbles = out + 48;
  std::fill(fifth, fifth + 32, std::byte{0});
  for (int pair = 0; pair < 4; ++pair, nibbles += 32) {
    const std::uint8_t* q = block.q + 64 * pair;
    for (int i = 0; i < 32; ++i) {
      nibbles[i] = static_cast<std::byte>((q[i] & 15) | (q[i + 32] & 15) << 4);
      fifth[i] |= static_cast<std::byte>((q[i] >> 4 | (q[i + 32] >> 4) << 1) << (2 * pair));
    }
  }
}

}  // namespace

const Codec kCodecQ5_K = fitted_codec<kLayout, kBytes, kScales, decompose, compose>(Dtype::kQ5_K);

}  // namespace partita::internal
