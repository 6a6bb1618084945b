// f16 and bf16 conversions, exhaustively, against their definitions in double precision.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "tests/catch.h"
#include "weights/codecs/codec.h"

using namespace partita;

using namespace partita::internal;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }

/// The definition: (-1)^sign * fraction * 2^(exponent - bias), for a format of 16 bits.
double value_of(std::uint16_t bits, int fraction_bits, int bias) {
  const int exponent = (bits & 0x7fff) >> fraction_bits;
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const int top = 0x7fff >> fraction_bits;
  double magnitude = std::ldexp(fraction, 1 - bias - fraction_bits);
  if (exponent > 0) magnitude = std::ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
  if (exponent == top) magnitude = fraction == 0 ? kInfinity : std::numeric_limits<double>::quiet_NaN();
  return bits & 0x8000 ? -magnitude : magnitude;
}

/// Checks that `narrow` rounds to nearest even between every two neighbours a < b of one sign.
template <class Widen, class Narrow>
int count_wrong_roundings(std::uint16_t largest, Widen widen, Narrow narrow) {
  int wrong = 0;
  for (std::uint32_t sign : {0u, 0x8000u}) {
    for (std::uint32_t i = 0; i < largest; ++i) {
      const auto a = static_cast<std::uint16_t>(sign | i);
      const auto b = static_cast<std::uint16_t>(sign | (i + 1));
      const auto middle = static_cast<float>((double{widen(a)} + double{widen(b)}) / 2);
      wrong += narrow(middle) != (i % 2 == 0 ? a : b);
      wrong += narrow(std::nextafter(middle, widen(a))) != a;
      wrong += narrow(std::nextafter(middle, widen(b))) != b;
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("every f16 widens to its exact value and comes back") {
  int wrong = 0;
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const double expected = value_of(bits, 10, 15);
    const float found = f16_to_f32(bits);
    if (std::isnan(expected)) {
      wrong += !std::isnan(found) || std::signbit(found) != (bits >> 15 != 0);
      wrong += !std::isnan(f16_to_f32(f32_to_f16(found)));
    } else {
      wrong += bits_of(found) != bits_of(static_cast<float>(expected)) || f32_to_f16(found) != bits;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("every bf16 widens to its exact value and comes back") {
  int wrong = 0;
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const double expected = value_of(bits, 7, 127);
    const float found = bf16_to_f32(bits);
    if (std::isnan(expected)) {
      wrong += !std::isnan(found) || !std::isnan(bf16_to_f32(f32_to_bf16(found)));
    } else {
      wrong += bits_of(found) != bits_of(static_cast<float>(expected)) || f32_to_bf16(found) != bits;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("narrowing rounds to nearest, ties to even, at every boundary") {
  CHECK(count_wrong_roundings(0x7bff, f16_to_f32, f32_to_f16) == 0);
  CHECK(count_wrong_roundings(0x7f7f, bf16_to_f32, f32_to_bf16) == 0);
}

TEST_CASE("narrowing overflows to infinity and keeps NaN") {
  CHECK(f32_to_f16(65519.996f) == 0x7bff);
  CHECK(f32_to_f16(65520.0f) == 0x7c00);
  CHECK(f32_to_f16(-65520.0f) == 0xfc00);
  CHECK(f32_to_f16(3e38f) == 0x7c00);
  CHECK(f32_to_f16(kInfinity) == 0x7c00);
  CHECK(f32_to_f16(-kInfinity) == 0xfc00);
  CHECK(f32_to_f16(1e-45f) == 0x0000);
  CHECK(f32_to_f16(-1e-45f) == 0x8000);
  CHECK(f32_to_bf16(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(f32_to_bf16(kInfinity) == 0x7f80);
  for (const std::uint32_t payload :
       {1u, 0x1fffu, 0x7fffffu, 0x400000u, 0x801u}) {  // some of them signalling
    for (const std::uint32_t sign : {0u, 0x80000000u}) {
      const auto nan = std::bit_cast<float>(sign | 0x7f800000u | payload);
      CHECK(std::isnan(f16_to_f32(f32_to_f16(nan))));
      CHECK(std::isnan(bf16_to_f32(f32_to_bf16(nan))));
      CHECK((f32_to_f16(nan) >> 15) == (sign >> 31));
      CHECK((f32_to_bf16(nan) >> 15) == (sign >> 31));
    }
  }
}
