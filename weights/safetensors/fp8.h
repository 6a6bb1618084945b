// The 8-bit floats of safetensors files (https://arxiv.org/abs/2209.05433).
#pragma once

#include <array>
#include <cstdint>
#include <limits>

namespace partita::internal {

enum class Fp8 : std::uint8_t { kNone, kE4M3, kE5M2 };

/// 1 sign, 4 or 5 bits of exponent, 3 or 2 of mantissa. E4M3 has no infinities, and NaN in the largest code
/// of each sign; E5M2 has those of IEEE 754.
constexpr float decode_fp8(Fp8 type, std::uint8_t bits) {
  const int mantissa_bits = type == Fp8::kE4M3 ? 3 : 2, bias = type == Fp8::kE4M3 ? 7 : 15;
  const int exponent = (bits & 0x7F) >> mantissa_bits, mantissa = bits & ((1 << mantissa_bits) - 1);
  const float sign = (bits & 0x80) != 0 ? -1.0F : 1.0F;
  if (type == Fp8::kE4M3 && (bits & 0x7F) == 0x7F) return std::numeric_limits<float>::quiet_NaN();
  if (type == Fp8::kE5M2 && exponent == 31) {
    return mantissa != 0 ? std::numeric_limits<float>::quiet_NaN()
                         : sign * std::numeric_limits<float>::infinity();
  }
  float value = static_cast<float>(exponent == 0 ? mantissa : mantissa + (1 << mantissa_bits));
  int power = (exponent == 0 ? 1 : exponent) - bias - mantissa_bits;
  for (; power < 0; ++power) value /= 2;
  for (; power > 0; --power) value *= 2;
  return sign * value;
}

/// The values of all codes.
constexpr std::array<float, 256> fp8_values(Fp8 type) {
  std::array<float, 256> values{};
  for (unsigned code = 0; code < values.size(); ++code)
    values[code] = decode_fp8(type, static_cast<std::uint8_t>(code));
  return values;
}

}  // namespace partita::internal
