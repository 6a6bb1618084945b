// IQ3_S: 256 elements in 110 bytes: f16 d; 64 rows of kIq3SGrid (low bytes), their ninth bits (8 bytes), 32
// bytes of signs, four bytes of four-bit scales s. value = d * (2 s + 1) * magnitude, one s for 32 elements.
#include "weights/codecs/block.h"
#include "weights/codecs/iq_grids.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 110;
constexpr Codebook kMagnitudes = codebook_of({1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15});
constexpr QuantLayout kLayout{
    .scale = ScaleKind::kSuperI8, .bits = 4, .group = 32, .block = 256, .codebook = &kMagnitudes};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = 0;
  for (int g = 0; g < 8; ++g) {
    const std::byte pair = block[106 + g / 2];
    out.sc[g] = static_cast<std::int8_t>(2 * (g % 2 == 0 ? low_nibble(pair) : high_nibble(pair)) + 1);
  }
  for (int i = 0; i < 64; ++i) {
    const auto ninth = std::to_integer<std::size_t>(block[66 + i / 8] >> (i % 8) & std::byte{1});
    const std::size_t row = std::to_integer<std::size_t>(block[2 + i]) | ninth << 8;
    const unsigned signs = i % 2 == 0 ? low_nibble(block[74 + i / 2]) : high_nibble(block[74 + i / 2]);
    expand_4(kIq3SGrid[row], signs, out.q + 4 * i);
  }
}

}  // namespace

const Codec kCodecIQ3_S{Dtype::kIQ3_S, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, nullptr,
                        decompose};

}  // namespace partita::internal
