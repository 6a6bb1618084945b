// IQ1_S: 256 elements in 50 bytes: f16 d; 32 rows of kIq1Grid (low bytes); for each 32 elements 16 bits: the
// upper three bits of four rows, a three-bit scale s, the sign of a shift by an eighth. value = d * (2 s + 1)
// * (g + 1/8), or with - 1/8.
#include "weights/codecs/block.h"
#include "weights/codecs/iq_grids.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 50;
constexpr QuantLayout kLayout{.scale = ScaleKind::kSuperI8,
                              .bits = 3,
                              .group = 32,
                              .block = 256,
                              .codebook = &kIq1Codebook,
                              .factor = 0.125F};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = 0;
  for (int g = 0; g < 8; ++g) {
    const unsigned bits = load_u16(block + 34 + 2 * g);
    out.sc[g] = static_cast<std::int8_t>(2 * (bits >> 12 & 7) + 1);
    for (int i = 0; i < 4; ++i) {
      const unsigned row = std::to_integer<unsigned>(block[2 + 4 * g + i]) | (bits >> (3 * i) & 7) << 8;
      expand_8(kIq1Grid[row], bits >> 15 != 0 ? 255 : 0, out.q + 32 * g + 8 * i);
    }
  }
}

}  // namespace

const Codec kCodecIQ1_S{Dtype::kIQ1_S, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, nullptr,
                        decompose};

}  // namespace partita::internal
