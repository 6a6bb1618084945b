// BF16: the upper half of a float, sign 1, exponent 8, fraction 7.
#include <bit>

#include "weights/codecs/block.h"

namespace partita::internal {

float bf16_to_f32(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

std::uint16_t f32_to_bf16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) {  // NaN: quiet, so that dropping the payload cannot make it infinite
    return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  }
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);  // to nearest even
}

namespace {

void dequantize(const std::byte* blocks, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = bf16_to_f32(load_u16(blocks + 2 * i));
}

void quantize(const float* values, std::size_t n, std::byte* out) {
  for (std::size_t i = 0; i < n; ++i) store_u16(f32_to_bf16(values[i]), out + 2 * i);
}

}  // namespace

const Codec kCodecBF16{Dtype::kBF16, QuantLayout{}, dequantize, quantize, nullptr};

}  // namespace partita::internal
