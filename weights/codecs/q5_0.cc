// Q5_0: 32 elements in 22 bytes: f16 d, 32 fifth bits, 16 bytes of nibbles. value = d * (q - 16).
#include "weights/codecs/block.h"
#include "weights/codecs/fit_scale.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 22;
constexpr QuantLayout kLayout{.scale = ScaleKind::kF16, .bits = 5, .group = 32, .offset = 16, .block = 32};
constexpr IntegerRange kNoScales{0, 0};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = 0;
  unpack_nibbles_32(block + 6, out.q);
  unpack_fifth_bits_32(block + 2, out.q);
}

void compose(const QuantBlock& block, std::byte* out) {
  store_u16(block.d, out);
  pack_fifth_bits_32(block.q, out + 2);
  pack_nibbles_32(block.q, out + 6);
}

void quantize(const float* values, std::size_t n, std::byte* out) {
  for (std::size_t i = 0; i < n; i += 32, out += kBytes) {
    const Range32 range = range_32(values + i);
    const float d = range.extreme / -16;  // the extreme value becomes q = 0, whatever its sign
    const float inverse = reciprocal_or_zero(d);
    std::uint8_t q[32];
    for (int j = 0; j < 32; ++j) q[j] = truncate_to(values[i + j] * inverse + 16.5f, 31);
    store_u16(f32_to_f16(d), out);
    pack_fifth_bits_32(q, out + 2);
    pack_nibbles_32(q, out + 6);
  }
}

}  // namespace

const Codec kCodecQ5_0{
    Dtype::kQ5_0, kLayout,   dequantize_blocks<kLayout, kBytes, decompose>,
    quantize,     decompose, quantize_weighted_blocks<kLayout, kBytes, kNoScales, compose>};

}  // namespace partita::internal
