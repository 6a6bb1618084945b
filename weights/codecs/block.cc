#include "weights/codecs/block.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace partita::internal {

std::uint16_t load_u16(const std::byte* from) {
  std::uint16_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

std::uint32_t load_u32(const std::byte* from) {
  std::uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

void store_u16(std::uint16_t value, std::byte* to) { std::memcpy(to, &value, sizeof value); }

void store_u32(std::uint32_t value, std::byte* to) { std::memcpy(to, &value, sizeof value); }

void unpack_nibbles_32(const std::byte* from, std::uint8_t* q) {
  for (int i = 0; i < 16; ++i) {
    q[i] = low_nibble(from[i]);
    q[i + 16] = high_nibble(from[i]);
  }
}

void pack_nibbles_32(const std::uint8_t* q, std::byte* to) {
  for (int i = 0; i < 16; ++i) to[i] = std::byte(q[i] & 15) | std::byte(q[i + 16] & 15) << 4;
}

void unpack_fifth_bits_32(const std::byte* from, std::uint8_t* q) {
  const std::uint32_t bits = load_u32(from);
  for (int i = 0; i < 32; ++i) q[i] |= static_cast<std::uint8_t>((bits >> i & 1) << 4);
}

void pack_fifth_bits_32(const std::uint8_t* q, std::byte* to) {
  std::uint32_t bits = 0;
  for (int i = 0; i < 32; ++i) bits |= static_cast<std::uint32_t>(q[i] >> 4 & 1) << i;
  store_u32(bits, to);
}

void unpack_scales_6bit(const std::byte* from, std::int8_t* sc, std::uint8_t* mn) {
  std::uint8_t b[12];
  std::memcpy(b, from, sizeof b);
  for (int i = 0; i < 4; ++i) {
    // Groups 0 to 3 use the low six bits of a byte; groups 4 to 7 have their low four bits in bytes 8 to 11
    // and their upper two bits at the top of the bytes of groups 0 to 3.
    sc[i] = static_cast<std::int8_t>(b[i] & 63);
    mn[i] = b[i + 4] & 63;
    sc[i + 4] = static_cast<std::int8_t>((b[i + 8] & 15) | (b[i] >> 6) << 4);
    mn[i + 4] = static_cast<std::uint8_t>((b[i + 8] >> 4) | (b[i + 4] >> 6) << 4);
  }
}

void pack_scales_6bit(const std::int8_t* sc, const std::uint8_t* mn, std::byte* to) {
  for (int i = 0; i < 4; ++i) {
    to[i] = static_cast<std::byte>(sc[i] | (sc[i + 4] >> 4) << 6);
    to[i + 4] = static_cast<std::byte>(mn[i] | (mn[i + 4] >> 4) << 6);
    to[i + 8] = static_cast<std::byte>((sc[i + 4] & 15) | (mn[i + 4] & 15) << 4);
  }
}

void unpack_bit_pairs(const std::byte* from, int n, int shift, std::uint8_t* q) {
  for (int i = 0; i < n; ++i) q[i] = std::to_integer<std::uint8_t>(from[i] >> shift & std::byte{3});
}

void pack_bit_pairs(const std::uint8_t* q, int n, int shift, std::byte* to) {
  for (int i = 0; i < n; ++i) to[i] |= static_cast<std::byte>((q[i] & 3) << shift);
}

Range32 range_32(const float* values) {
  Range32 range{values[0], values[0], values[0]};
  for (int i = 1; i < 32; ++i) {
    range.min = std::min(range.min, values[i]);
    range.max = std::max(range.max, values[i]);
    if (std::fabs(values[i]) > std::fabs(range.extreme)) range.extreme = values[i];
  }
  return range;
}

float reciprocal_or_zero(float d) {
  const float inverse = d == 0.0f ? 0.0f : 1.0f / d;
  return std::isfinite(inverse) ? inverse : 0.0f;
}

std::uint8_t truncate_to(float value, int max) {
  if (!(value > 0.0f)) return 0;
  return static_cast<std::uint8_t>(std::min(value, static_cast<float>(max)));
}

namespace {

/// The scale of group g, and its minimum.
struct GroupScale {
  float scale, minimum;
};
GroupScale group_scale(const QuantLayout& layout, const QuantBlock& block, int g) {
  const float d = f16_to_f32(block.d), m = f16_to_f32(block.m);
  const auto sc = static_cast<float>(block.sc[g]), mn = static_cast<float>(block.mn[g]);
  switch (layout.scale) {
    case ScaleKind::kF16:
      return {d, 0.0F};
    case ScaleKind::kF16Min:
      return {d, -m};
    case ScaleKind::kSuper:
    case ScaleKind::kSuperU4:
      return {d * sc, m * mn};
    case ScaleKind::kSuperI8:
      return {d * sc * layout.factor, 0.0F};
    case ScaleKind::kE8M0:
      return {e8m0_scale(static_cast<std::uint8_t>(block.d)), 0.0F};
    case ScaleKind::kUE4M3:
      return {ue4m3_scale(static_cast<std::uint8_t>(block.sc[g])), 0.0F};
    case ScaleKind::kNone:
      break;
  }
  return {};
}

}  // namespace

void dequantize_block(const QuantLayout& layout, const QuantBlock& block, float* out) {
  for (int g = 0; g * layout.group < layout.block; ++g) {
    const auto [scale, minimum] = group_scale(layout, block, g);
    for (int i = g * layout.group; i < (g + 1) * layout.group; ++i) {
      out[i] = scale * static_cast<float>(layout.level(block.q[i])) - minimum;
    }
  }
}

}  // namespace partita::internal
