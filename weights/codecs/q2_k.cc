// Q2_K: 256 elements in 84 bytes: 16 bytes of four-bit scales and minimums, 64 of bit pairs, f16 d, f16 dmin.
// value = d * sc * q - dmin * mn, one sc and mn for 16 elements.
#include <algorithm>

#include "weights/codecs/block.h"
#include "weights/codecs/fit_scale.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 84;
constexpr Codebook kLevels = codebook_of({0, 1, 2, 3});
constexpr QuantLayout kLayout{
    .scale = ScaleKind::kSuperU4, .bits = 2, .group = 16, .block = 256, .codebook = &kLevels};
constexpr IntegerRange kScales{0, 15};

void decompose(const std::byte* block, QuantBlock& out) {
  for (int g = 0; g < 16; ++g) {
    out.sc[g] = static_cast<std::int8_t>(low_nibble(block[g]));
    out.mn[g] = high_nibble(block[g]);
  }
  for (int i = 0; i < 8; ++i) unpack_bit_pairs(block + 16 + i / 4 * 32, 32, i % 4 * 2, out.q + 32 * i);
  out.d = load_u16(block + 80);
  out.m = load_u16(block + 82);
}

void compose(const QuantBlock& block, std::byte* out) {
  for (int g = 0; g < 16; ++g) out[g] = static_cast<std::byte>(block.sc[g] | block.mn[g] << 4);
  std::fill(out + 16, out + 80, std::byte{0});
  for (int i = 0; i < 8; ++i) pack_bit_pairs(block.q + 32 * i, 32, i % 4 * 2, out + 16 + i / 4 * 32);
  store_u16(block.d, out + 80);
  store_u16(block.m, out + 82);
}

}  // namespace

const Codec kCodecQ2_K = fitted_codec<kLayout, kBytes, kScales, decompose, compose>(Dtype::kQ2_K);

}  // namespace partita::internal
