// Q4_1: 32 elements in 20 bytes: f16 d, f16 m, 16 bytes of nibbles. value = d * q + m.
#include "weights/codecs/block.h"
#include "weights/codecs/fit_scale.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 20;
constexpr QuantLayout kLayout{.scale = ScaleKind::kF16Min, .bits = 4, .group = 32, .offset = 0, .block = 32};
constexpr IntegerRange kNoScales{0, 0};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = load_u16(block + 2);
  unpack_nibbles_32(block + 4, out.q);
}

void compose(const QuantBlock& block, std::byte* out) {
  store_u16(block.d, out);
  store_u16(block.m, out + 2);
  pack_nibbles_32(block.q, out + 4);
}

void quantize(const float* values, std::size_t n, std::byte* out) {
  for (std::size_t i = 0; i < n; i += 32, out += kBytes) {
    const Range32 range = range_32(values + i);
    const float d = (range.max - range.min) / 15;
    const float inverse = reciprocal_or_zero(d);
    std::uint8_t q[32];
    for (int j = 0; j < 32; ++j) q[j] = truncate_to((values[i + j] - range.min) * inverse + 0.5f, 15);
    store_u16(f32_to_f16(d), out);
    store_u16(f32_to_f16(range.min), out + 2);
    pack_nibbles_32(q, out + 4);
  }
}

}  // namespace

const Codec kCodecQ4_1{
    Dtype::kQ4_1, kLayout,   dequantize_blocks<kLayout, kBytes, decompose>,
    quantize,     decompose, quantize_weighted_blocks<kLayout, kBytes, kNoScales, compose>};

}  // namespace partita::internal
