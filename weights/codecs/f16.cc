// F16: IEEE 754 binary16, sign 1, exponent 5 (bias 15), fraction 10.
#include <bit>

#include "weights/codecs/block.h"

namespace partita::internal {

float f16_to_f32(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  const std::uint32_t exponent = bits >> 10 & 31;
  const std::uint32_t fraction = bits & 0x3ff;
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24, exact in float
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  const std::uint32_t wide_exponent = exponent == 31 ? 255 : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide_exponent << 23 | fraction << 13);
}

std::uint16_t f32_to_f16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000;
  const std::uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) {  // NaN: quiet, the upper part of the payload kept
    return static_cast<std::uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
  }
  if (magnitude >= 0x477ff000) return static_cast<std::uint16_t>(sign | 0x7c00);  // from 65520: infinity
  std::uint32_t rounded = 0;
  if (magnitude < 0x38800000) {
    // Below 2^-14 the result is a multiple of 2^-24. Adding 0.5 gives a float whose unit in the last place is
    // 2^-24, so the addition rounds to nearest even.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    rounded = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5f);
  } else {
    // Drop 13 bits of fraction, to nearest even; a carry moves into the exponent, as it should.
    const std::uint32_t rebased = magnitude - ((127u - 15u) << 23);
    rounded = (rebased + 0xfff + (rebased >> 13 & 1)) >> 13;
  }
  return static_cast<std::uint16_t>(sign | rounded);
}

namespace {

void dequantize(const std::byte* blocks, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = f16_to_f32(load_u16(blocks + 2 * i));
}

void quantize(const float* values, std::size_t n, std::byte* out) {
  for (std::size_t i = 0; i < n; ++i) store_u16(f32_to_f16(values[i]), out + 2 * i);
}

}  // namespace

const Codec kCodecF16{Dtype::kF16, QuantLayout{}, dequantize, quantize, nullptr};

}  // namespace partita::internal
