// F32: the values themselves.
#include <cstring>

#include "weights/codecs/block.h"

namespace partita::internal {
namespace {

void dequantize(const std::byte* blocks, std::size_t n, float* out) {
  if (n != 0) std::memcpy(out, blocks, n * sizeof(float));
}

void quantize(const float* values, std::size_t n, std::byte* out) {
  if (n != 0) std::memcpy(out, values, n * sizeof(float));
}

}  // namespace

const Codec kCodecF32{Dtype::kF32, QuantLayout{}, dequantize, quantize, nullptr};

}  // namespace partita::internal
