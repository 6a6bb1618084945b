// Q4_K: 256 elements in 144 bytes: f16 d, f16 dmin, 12 bytes of six-bit scales and minimums, 128 of nibbles.
// value = d * sc * q - dmin * mn, one sc and mn for 32 elements.
#include "weights/codecs/block.h"
#include "weights/codecs/fit_scale.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 144;
constexpr QuantLayout kLayout{.scale = ScaleKind::kSuper, .bits = 4, .group = 32, .offset = 0, .block = 256};
constexpr IntegerRange kScales{0, 63};

void decompose(const std::byte* block, QuantBlock& out) {
  out.d = load_u16(block);
  out.m = load_u16(block + 2);
  unpack_scales_6bit(block + 4, out.sc, out.mn);
  const std::byte* nibbles = block + 16;
  for (int pair = 0; pair < 4; ++pair, nibbles += 32) {  // 32 bytes: one group low, the next one high
    std::uint8_t* q = out.q + 64 * pair;
    for (int i = 0; i < 32; ++i) {
      q[i] = low_nibble(nibbles[i]);
      q[i + 32] = high_nibble(nibbles[i]);
    }
  }
}

void compose(const QuantBlock& block, std::byte* out) {
  store_u16(block.d, out);
  store_u16(block.m, out + 2);
  pack_scales_6bit(block.sc, block.mn, out + 4);
  std::byte* nibbles = out + 16;
  for (int pair = 0; pair < 4; ++pair, nibbles += 32) {
    const std::uint8_t* q = block.q + 64 * pair;
    for (int i = 0; i < 32; ++i) nibbles[i] = static_cast<std::byte>(q[i] | q[i + 32] << 4);
  }
}

}  // namespace

const Codec kCodecQ4_K = fitted_codec<kLayout, kBytes, kScales, decompose, compose>(Dtype::kQ4_K);

}  // namespace partita::internal
