// Q4_0: 32 elements in 18 bytes: f16 d, 16 bytes of nibbles. value = d * (q - 8).
#include "weights/codecs/block.h"
#include "weights/codecs/fit_scale.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 18;
constexpr QuantLayout kLayout{.scale = ScaleKind::kF16, .bits = 4, .group = 32, .offset = 8, .block = 32};
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

void quantize(const float* values, std::size_t n, std::byte* out) {
  for (std::size_t i = 0; i < n; i += 32, out += kBytes) {
    const Range32 range = range_32(values + i);
    const float d = range.extreme / -8;  // the extreme value becomes q = 0, whatever its sign
    const float inverse = reciprocal_or_zero(d);
    std::uint8_t q[32];
    for (int j = 0; j < 32; ++j) q[j] = truncate_to(values[i + j] * inverse + 8.5f, 15);
    store_u16(f32_to_f16(d), out);
    pack_nibbles_32(q, out + 2);
  }
}

}  // namespace

const Codec kCodecQ4_0{
    Dtype::kQ4_0, kLayout,   dequantize_blocks<kLayout, kBytes, decompose>,
    quantize,     decompose, quantize_weighted_blocks<kLayout, kBytes, kNoScales, compose>};

}  // namespace partita::internal
