// IQ2_XS: 256 elements in 74 bytes: f16 d; 32 times nine bits for a row of kIq2XsGrid and seven for its
// signs; eight bytes of four-bit scales s. value = d / 8 * (2 s + 1) * magnitude, one s for 16 elements.
#include "weights/codecs/block.h"
#include "weights/codecs/iq_grids.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 74;
constexpr QuantLayout kLayout{.scale = ScaleKind::kSuperI8,
                              .bits = 3,
                              .group = 16,
                              .block = 256,
                              .codebook = &kIq2Codebook,
                              .factor = 0.125F};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = 0;
  unpack_iq2_scales(block + 66, out.sc);
  for (int i = 0; i < 32; ++i) {
    const unsigned row = load_u16(block + 2 + 2 * i);
    expand_8(kIq2XsGrid[row & 511], even_signs(row >> 9), out.q + 8 * i);
  }
}

}  // namespace

const Codec kCodecIQ2_XS{Dtype::kIQ2_XS, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, nullptr,
                         decompose};

}  // namespace partita::internal
