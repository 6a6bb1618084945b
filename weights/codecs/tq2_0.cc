// TQ2_0: 256 elements in 66 bytes: 64 bytes of bit pairs, f16 d. value = d * (q - 1).
#include "weights/codecs/block.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 66;
constexpr QuantLayout kLayout{
    .scale = ScaleKind::kF16, .bits = 2, .group = 32, .block = 256, .codebook = &kTernaryCodebook};

void decompose(const std::byte* block, QuantBlock& out) {
  for (int i = 0; i < 8; ++i) unpack_bit_pairs(block + i / 4 * 32, 32, i % 4 * 2, out.q + 32 * i);
  out.d = load_u16(block + 64);
  out.m = 0;
}

}  // namespace

const Codec kCodecTQ2_0{Dtype::kTQ2_0, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, nullptr,
                        decompose};

}  // namespace partita::internal
