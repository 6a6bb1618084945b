// Q8_0: 32 elements in 34 bytes: f16 d, 32 signed bytes. value = d * byte; q is the byte + 128.
#include <cmath>

#include "weights/codecs/block.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 34;
constexpr QuantLayout kLayout{.scale = ScaleKind::kF16, .bits = 8, .group = 32, .offset = 128, .block = 32};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = 0;
  // Flipping the sign bit of a two's complement byte adds 128.
  for (int i = 0; i < 32; ++i) out.q[i] = std::to_integer<std::uint8_t>(block[2 + i] ^ std::byte{0x80});
}

void quantize(const float* values, std::size_t n, std::byte* out) {
  for (std::size_t i = 0; i < n; i += 32, out += kBytes) {
    const float d = std::fabs(range_32(values + i).extreme) / 127;
    const float inverse = reciprocal_or_zero(d);
    store_u16(f32_to_f16(d), out);
    for (int j = 0; j < 32; ++j) {
      const float rounded = std::round(values[i + j] * inverse);  // halves away from zero
      const bool fits = std::fabs(rounded) <= 127;                // false for NaN
      out[2 + j] = static_cast<std::byte>(fits ? static_cast<int>(rounded) : 0);
    }
  }
}

}  // namespace

const Codec kCodecQ8_0{Dtype::kQ8_0, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, quantize,
                       decompose};

}  // namespace partita::internal
