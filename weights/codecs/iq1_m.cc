// IQ1_M: 256 elements in 56 bytes: 32 rows of kIq1Grid (low bytes); for each row a nibble: its upper three
// bits, and the sign of a shift by an eighth; four times 16 bits: four three-bit scales s and a nibble of the
// f16 d. value = d * (2 s + 1) * (g + 1/8), or with - 1/8, one s for 16 elements.
#include "weights/codecs/block.h"
#include "weights/codecs/iq_grids.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 56;
constexpr QuantLayout kLayout{.scale = ScaleKind::kSuperI8,
                              .bits = 3,
                              .group = 16,
                              .block = 256,
                              .codebook = &kIq1Codebook,
                              .factor = 0.125F};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = out.m = 0;
  for (int i = 0; i < 4; ++i) {
    const unsigned bits = load_u16(block + 48 + 2 * i);
    out.d = static_cast<std::uint16_t>(out.d | bits >> 12 << (4 * i));
    for (int j = 0; j < 4; ++j) out.sc[4 * i + j] = static_cast<std::int8_t>(2 * (bits >> (3 * j) & 7) + 1);
  }
  for (int i = 0; i < 32; ++i) {
    const std::byte pair = block[32 + i / 2];
    const unsigned high = i % 2 == 0 ? low_nibble(pair) : high_nibble(pair);
    const unsigned row = std::to_integer<unsigned>(block[i]) | (high & 7) << 8;
    expand_8(kIq1Grid[row], high >= 8 ? 255 : 0, out.q + 8 * i);
  }
}

}  // namespace

const Codec kCodecIQ1_M{Dtype::kIQ1_M, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, nullptr,
                        decompose};

}  // namespace partita::internal
