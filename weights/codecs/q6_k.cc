// Q6_K: 256 elements in 210 bytes: 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed scales, f16 d.
// value = d * sc * (q - 32), one sc for 16 elements.
#include <cstring>

#include "weights/codecs/block.h"
#include "weights/codecs/fit_scale.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 210;
constexpr QuantLayout kLayout{
    .scale = ScaleKind::kSuperI8, .bits = 6, .group = 16, .offset = 32, .block = 256};
constexpr IntegerRange kScales{-128, 127};

/// 128 elements: byte i of `low` (64 of them) holds elements i and i + 64; byte i of `high` (32 of them)
/// holds the upper two bits of elements i, i + 32, i + 64 and i + 96.
void unpack_half(const std::byte* low, const std::byte* high, std::uint8_t* q) {
  for (int i = 0; i < 64; ++i) {
    q[i] = low_nibble(low[i]);
    q[i + 64] = high_nibble(low[i]);
  }
  for (int i = 0; i < 128; ++i) {
    const int pair = std::to_integer<int>(high[i % 32]) >> (i / 32 * 2) & 3;
    q[i] |= static_cast<std::uint8_t>(pair << 4);
  }
}

void decompose(const std::byte* block, QuantBlock& out) {
  unpack_half(block, block + 128, out.q);
  unpack_half(block + 64, block + 160, out.q + 128);
  std::memcpy(out.sc, block + 192, 16);
  out.d = load_u16(block + 208);
  out.m = 0;
}

/// unpack_half() backwards.
void pack_half(const std::uint8_t* q, std::byte* low, std::byte* high) {
  for (int i = 0; i < 64; ++i) low[i] = static_cast<std::byte>((q[i] & 15) | (q[i + 64] & 15) << 4);
  for (int i = 0; i < 32; ++i) {
    high[i] = static_cast<std::byte>(q[i] >> 4 | (q[i + 32] >> 4) << 2 | (q[i + 64] >> 4) << 4 |
                                     (q[i + 96] >> 4) << 6);
  }
}

void compose(const QuantBlock& block, std::byte* out) {
  pack_half(block.q, out, out + 128);
  pack_half(block.q + 128, out + 64, out + 160);
  std::memcpy(out + 192, block.sc, 16);
  store_u16(block.d, out + 208);
}

}  // namespace

const Codec kCodecQ6_K = fitted_codec<kLayout, kBytes, kScales, decompose, compose>(Dtype::kQ6_K);

}  // namespace partita::internal
