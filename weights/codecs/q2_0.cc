// Q2_0: 64 elements in 18 bytes: f16 d, 16 bytes of bit pairs. value = d * (q - 1).
#include "weights/codecs/block.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 18;
constexpr QuantLayout kLayout{
    .scale = ScaleKind::kF16, .bits = 2, .group = 32, .block = 64, .codebook = &kTernaryCodebook};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = 0;
  for (int i = 0; i < 64; ++i) {
    out.q[i] = std::to_integer<std::uint8_t>(block[2 + i / 4] >> (i % 4 * 2) & std::byte{3});
  }
}

}  // namespace

const Codec kCodecQ2_0{Dtype::kQ2_0, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, nullptr,
                       decompose};

}  // namespace partita::internal
