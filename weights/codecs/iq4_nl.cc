// IQ4_NL: 32 elements in 18 bytes: f16 d, 16 bytes of nibbles. value = d * codebook[q].
#include "weights/codecs/block.h"
#include "weights/codecs/fit_scale.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 18;
constexpr QuantLayout kLayout{
    .scale = ScaleKind::kF16, .bits = 4, .group = 32, .block = 32, .codebook = &kIq4Codebook};
constexpr IntegerRange kNoScales{0, 0};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = 0;
  unpack_nibbles_32(block + 2, out.q);
}

void compose(const QuantBlock& block, std::byte* out) {
  store_u16(block.d, out);
  pack_nibbles_32(block.q, out + 2);
}

}  // namespace

const Codec kCodecIQ4_NL{Dtype::kIQ4_NL,
                         kLayout,
                         dequantize_blocks<kLayout, kBytes, decompose>,
                         quantize_blocks<kLayout, kBytes, kNoScales, compose>,
                         decompose,
                         quantize_weighted_blocks<kLayout, kBytes, kNoScales, compose>};

}  // namespace partita::internal
