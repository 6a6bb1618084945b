#include "weights/codecs/codec.h"

namespace partita::internal {

void quantize(const Codec& codec, const float* values, const float* importance, std::size_t n,
              std::byte* out) {
  if (importance == nullptr || codec.quantize_weighted == nullptr) return codec.quantize(values, n, out);
  codec.quantize_weighted(values, importance, n, out);
}

const Codec& codec(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF32:
      break;
    case Dtype::kF16:
      return kCodecF16;
    case Dtype::kBF16:
      return kCodecBF16;
    case Dtype::kQ4_0:
      return kCodecQ4_0;
    case Dtype::kQ4_1:
      return kCodecQ4_1;
    case Dtype::kQ5_0:
      return kCodecQ5_0;
    case Dtype::kQ5_1:
      return kCodecQ5_1;
    case Dtype::kQ8_0:
      return kCodecQ8_0;
    case Dtype::kQ4_K:
      return kCodecQ4_K;
    case Dtype::kQ5_K:
      return kCodecQ5_K;
    case Dtype::kQ6_K:
      return kCodecQ6_K;
    case Dtype::kMXFP4:
      return kCodecMXFP4;
  }
  return kCodecF32;
}

}  // namespace partita::internal
