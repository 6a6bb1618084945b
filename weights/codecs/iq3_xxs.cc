// IQ3_XXS: 256 elements in 98 bytes: f16 d; 64 rows of kIq3XxsGrid; for each 32 elements 32 bits: signs (four
// times seven bits) and a four-bit scale s. value = d / 4 * (2 s + 1) * magnitude, with a sign.
#include "weights/codecs/block.h"
#include "weights/codecs/iq_grids.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 98;
constexpr Codebook kMagnitudes =
    codebook_of({4, 12, 20, 28, 36, 44, 52, 62, -4, -12, -20, -28, -36, -44, -52, -62});
constexpr QuantLayout kLayout{.scale = ScaleKind::kSuperI8,
                              .bits = 4,
                              .group = 32,
                              .block = 256,
                              .codebook = &kMagnitudes,
                              .factor = 0.25F};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = 0;
  for (int g = 0; g < 8; ++g) {
    const std::uint32_t bits = load_u32(block + 66 + 4 * g);
    out.sc[g] = static_cast<std::int8_t>(2 * (bits >> 28) + 1);
    for (int i = 0; i < 8; ++i) {
      const auto row = std::to_integer<std::size_t>(block[2 + 8 * g + i]);
      const unsigned signs = even_signs(bits >> (i / 2 * 7) & 127);
      expand_4(kIq3XxsGrid[row], signs >> (i % 2 * 4), out.q + 32 * g + 4 * i);
    }
  }
}

}  // namespace

const Codec kCodecIQ3_XXS{Dtype::kIQ3_XXS, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, nullptr,
                          decompose};

}  // namespace partita::internal
