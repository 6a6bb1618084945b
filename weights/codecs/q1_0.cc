// Q1_0: 128 elements in 18 bytes: f16 d, 128 bits. value = d, or -d where the bit is 0.
#include "weights/codecs/block.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 18;
constexpr Codebook kLevels = codebook_of({-1, 1});
constexpr QuantLayout kLayout{
    .scale = ScaleKind::kF16, .bits = 1, .group = 32, .block = 128, .codebook = &kLevels};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = 0;
  for (int i = 0; i < 128; ++i) {
    out.q[i] = std::to_integer<std::uint8_t>(block[2 + i / 8] >> (i % 8) & std::byte{1});
  }
}

}  // namespace

const Codec kCodecQ1_0{Dtype::kQ1_0, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, nullptr,
                       decompose};

}  // namespace partita::internal
