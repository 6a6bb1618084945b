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
    case Dtype::kQ2_K:
      return kCodecQ2_K;
    case Dtype::kQ3_K:
      return kCodecQ3_K;
    case Dtype::kQ4_K:
      return kCodecQ4_K;
    case Dtype::kQ5_K:
      return kCodecQ5_K;
    case Dtype::kQ6_K:
      return kCodecQ6_K;
    case Dtype::kIQ2_XXS:
      return kCodecIQ2_XXS;
    case Dtype::kIQ2_XS:
      return kCodecIQ2_XS;
    case Dtype::kIQ3_XXS:
      return kCodecIQ3_XXS;
    case Dtype::kIQ1_S:
      return kCodecIQ1_S;
    case Dtype::kIQ4_NL:
      return kCodecIQ4_NL;
    case Dtype::kIQ3_S:
      return kCodecIQ3_S;
    case Dtype::kIQ2_S:
      return kCodecIQ2_S;
    case Dtype::kIQ4_XS:
      return kCodecIQ4_XS;
    case Dtype::kIQ1_M:
      return kCodecIQ1_M;
    case Dtype::kTQ1_0:
      return kCodecTQ1_0;
    case Dtype::kTQ2_0:
      return kCodecTQ2_0;
    case Dtype::kMXFP4:
      return kCodecMXFP4;
    case Dtype::kNVFP4:
      return kCodecNVFP4;
    case Dtype::kQ1_0:
      return kCodecQ1_0;
    case Dtype::kQ2_0:
      return kCodecQ2_0;
  }
  return kCodecF32;
}

}  // namespace partita::internal
