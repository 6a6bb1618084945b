// TQ1_0: 256 elements in 54 bytes: 52 bytes of up to five ternary digits, f16 d. value = d * (q - 1).
#include "weights/codecs/block.h"

namespace partita::internal {
namespace {

constexpr std::size_t kBytes = 54;
constexpr QuantLayout kLayout{
    .scale = ScaleKind::kF16, .bits = 2, .group = 32, .block = 256, .codebook = &kTernaryCodebook};

/// Digit n of `bytes` bytes each: a byte is the fraction 0.d0 d1 d2 ... in base three, times 256.
std::uint8_t* unpack_digits(const std::byte* from, int bytes, int digits, std::uint8_t* q) {
  int power = 1;
  for (int n = 0; n < digits; ++n, power *= 3) {
    for (int i = 0; i < bytes; ++i) {
      const int fraction = std::to_integer<int>(from[i]) * power & 255;
      *q++ = static_cast<std::uint8_t>(fraction * 3 >> 8);
    }
  }
  return q;
}

void decompose(const std::byte* block, QuantBlock& out) {
  std::uint8_t* q = unpack_digits(block, 32, 5, out.q);
  q = unpack_digits(block + 32, 16, 5, q);
  unpack_digits(block + 48, 4, 4, q);
  out.d = load_u16(block + 52);
  out.m = 0;
}

}  // namespace

const Codec kCodecTQ1_0{Dtype::kTQ1_0, kLayout, dequantize_blocks<kLayout, kBytes, decompose>, nullptr,
                        decompose};

}  // namespace partita::internal
