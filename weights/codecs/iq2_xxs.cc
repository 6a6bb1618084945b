// IQ2_XXS: 256 elements in 66 bytes: f16 d; for each 32 elements four rows of kIq2XxsGrid (a byte each),
// their signs (four times seven bits) and a four-bit scale s. value = d / 8 * (2 s + 1) * magnitude, with a
// sign.
#include "weights/codecs/block.h"
#include "weights/codecs/iq_grids.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 66;
constexpr QuantLayout kLayout{.scale = ScaleKind::kSuperI8,
                              .bits = 3,
                              .group = 32,
                              .block = 256,
                              .codebook = &kIq2Codebook,
                              .factor = 0.125F};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = 0;
  const std::byte* at = block + 2;
  for (int g = 0; g < 8; ++g, at += 8) {
    const std::uint32_t signs = load_u32(at + 4);
    out.sc[g] = static_cast<std::int8_t>(2 * (signs >> 28) + 1);
    for (int i = 0; i < 4; ++i) {
      const auto row = std::to_integer<std::size_t>(at[i]);
      expand_8(kIq2XxsGrid[row], even_signs(signs >> (7 * i) & 127), out.q + 32 * g + 8 * i);
    }
  }
}

}  // namespace

const Codec kCodecIQ2_XXS{Dtype::kIQ2_XXS, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, nullptr,
                          decompose};

}  // namespace partita::internal
