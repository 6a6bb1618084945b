// Random blocks of types that tests have no quantizer for: any bytes, and a scale that gives values of a
// size.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "weights/codecs/codec.h"

namespace partita::internal::test {

inline void put_f16(float value, std::byte* to) {
  const std::uint16_t bits = f32_to_f16(value);
  std::memcpy(to, &bits, sizeof bits);
}

/// Where the f16 scale of a block is; a minimum has two bytes after it. -1: there is none.
inline int scale_offset(Dtype dtype) {
  switch (dtype) {
    case Dtype::kQ2_K:
      return 80;
    case Dtype::kQ3_K:
      return 108;
    case Dtype::kQ6_K:
      return 208;
    case Dtype::kTQ1_0:
      return 52;
    case Dtype::kTQ2_0:
      return 64;
    case Dtype::kIQ1_M:
    case Dtype::kMXFP4:
    case Dtype::kNVFP4:
      return -1;
    default:
      return 0;
  }
}

/// Sets the scale of a block, and its minimum if it has one. IQ1_M has the scale in four nibbles; NVFP4 has
/// four scales of 8 bits, the largest of which becomes at most d.
inline void set_scale(Dtype dtype, float d, float minimum, std::byte* block) {
  const ScaleKind kind = codec(dtype).layout.scale;
  if (dtype == Dtype::kIQ1_M) {
    const std::uint16_t bits = f32_to_f16(d);
    for (int i = 0; i < 4; ++i) {
      std::byte& high = block[49 + 2 * i];
      high = (high & std::byte{15}) | static_cast<std::byte>(bits >> (4 * i) & 15) << 4;
    }
  } else if (dtype == Dtype::kNVFP4) {
    for (int i = 0; i < 4; ++i) {
      std::uint8_t byte = std::to_integer<std::uint8_t>(block[i]) & 127;
      while (byte > 0 && ue4m3_scale(byte) > d) byte = byte > 8 ? byte - 8 : byte - 1;
      block[i] = std::byte{byte};
    }
  } else {
    put_f16(d, block + scale_offset(dtype));
    if (kind == ScaleKind::kSuper || kind == ScaleKind::kSuperU4)
      put_f16(minimum, block + scale_offset(dtype) + 2);
  }
}

/// Scales a block of any bytes so that its values are about `size` large, and centred on zero.
inline void scale_block(Dtype dtype, float size, std::byte* block) {
  const float middle = static_cast<float>((1 << codec(dtype).layout.bits) - 1) / 2;
  set_scale(dtype, 1, middle, block);
  std::vector<float> values(block_elements(dtype));
  codec(dtype).dequantize(block, values.size(), values.data());
  double squares = 0;
  for (const float v : values) squares += static_cast<double>(v) * static_cast<double>(v);
  const auto rms = static_cast<float>(std::sqrt(squares / static_cast<double>(values.size())));
  const float d = rms > 0 ? size / rms : 0;
  set_scale(dtype, d, d * middle, block);
}

}  // namespace partita::internal::test
