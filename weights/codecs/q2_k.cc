// Q2_K: 256 elements in 84 bytes: 16 bytes of four-bit scales and minimums, 64 of bit pairs, f16 d, f16 dmin.
// value = d * sc * q - dmin * mn, one sc and mn for 16 elements.
#include "weights/codecs/block.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 84;
constexpr Codebook kLevels = codebook_of({0, 1, 2, 3});
constexpr QuantLayout kLayout{
    .scale = ScaleKind::kSuperU4, .bits = 2, .group = 16, .block = 256, .codebook = &kLevels};

void decompose(const std::byte* block, QuantBlock& out) {
  for (int g = 0; g < 16; ++g) {
    out.sc[g] = static_cast<std::int8_t>(low_nibble(block[g]));
    out.mn[g] = high_nibble(block[g]);
  }
  for (int i = 0; i < 8; ++i) unpack_bit_pairs(block + 16 + i / 4 * 32, 32, i % 4 * 2, out.q + 32 * i);
  out.d = load_u16(block + 80);
  out.m = load_u16(block + 82);
}

}  // namespace

const Codec kCodecQ2_K{Dtype::kQ2_K, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, nullptr,
                       decompose};

}  // namespace partita::internal
