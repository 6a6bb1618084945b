// IQ2_S: 256 elements in 82 bytes: f16 d; 32 rows of kIq2SGrid (low bytes), 32 bytes of signs, the upper bit
// pairs of the rows (8 bytes), eight bytes of four-bit scales s. value = d / 8 * (2 s + 1) * magnitude, one s
// for 16 elements.
#include "weights/codecs/block.h"
#include "weights/codecs/iq_grids.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 82;
constexpr QuantLayout kLayout{.scale = ScaleKind::kSuperI8,
                              .bits = 3,
                              .group = 16,
                              .block = 256,
                              .codebook = &kIq2Codebook,
                              .factor = 0.125F};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = 0;
  unpack_iq2_scales(block + 74, out.sc);
  for (int i = 0; i < 32; ++i) {
    const auto high = std::to_integer<std::size_t>(block[66 + i / 4] >> (i % 4 * 2) & std::byte{3});
    const std::size_t row = std::to_integer<std::size_t>(block[2 + i]) | high << 8;
    expand_8(kIq2SGrid[row], std::to_integer<unsigned>(block[34 + i]), out.q + 8 * i);
  }
}

}  // namespace

const Codec kCodecIQ2_S{Dtype::kIQ2_S, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, nullptr,
                        decompose};

}  // namespace partita::internal
