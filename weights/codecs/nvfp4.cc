// NVFP4: 64 elements in 36 bytes: four scales of four exponent and three fraction bits, 32 bytes of nibbles.
// value = ue4m3_scale * v, one scale for 16 elements, v twice the FP4 element.
#include "weights/codecs/block.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 36;
constexpr std::byte kNan{0x7F};  // means 0
constexpr QuantLayout kLayout{
    .scale = ScaleKind::kUE4M3, .bits = 4, .group = 16, .block = 64, .codebook = &kFp4Codebook};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = out.m = 0;
  for (int g = 0; g < 4; ++g) {
    out.sc[g] = block[g] == kNan ? std::int8_t{0} : std::to_integer<std::int8_t>(block[g] & std::byte{127});
    for (int i = 0; i < 8; ++i) {
      const std::byte pair = block[4 + 8 * g + i];
      out.q[16 * g + i] = low_nibble(pair);
      out.q[16 * g + 8 + i] = high_nibble(pair);
    }
  }
}

}  // namespace

float ue4m3_scale(std::uint8_t e4m3) {
  // As an f16 the bits are 2^-8 times the number: the exponent of f16 has one bit more, its bias is 15,
  // not 7.
  return f16_to_f32(static_cast<std::uint16_t>((e4m3 & 127) << 7)) * 128.0F;
}

const Codec kCodecNVFP4{Dtype::kNVFP4, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, nullptr,
                        decompose};

}  // namespace partita::internal
