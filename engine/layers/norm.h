// Norms of rows: RMS norm and LayerNorm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/kernels/kernels.h"
#include "engine/tensor_loader.h"

namespace partita::internal {

enum class NormKind : std::uint8_t {
  kRms,    // x / rms(x) * weight (Zhang and Sennrich 2019)
  kLayer,  // (x - mean(x)) / deviation(x) * weight + bias (Ba et al. 2016)
};

/// Empty: the layer has no norm here.
struct Norm {
  Vector weight = {};  // [groups][width()] or empty
  float eps = 0;
  NormKind kind = NormKind::kRms;
  std::uint32_t groups = 1;  // > 1: each head has its own weights
  Vector bias = {};          // of LayerNorm: [groups][width()] or empty
  std::string name = {};     // of the tensor, without ".weight"

  bool empty() const { return weight.empty(); }
  std::size_t width() const { return weight.size() / groups; }
  std::size_t bytes() const { return (weight.size() + bias.size()) * sizeof(float); }

  /// y = norm(x), [width()], with the weights of `group`; in place allowed. Precondition: not empty.
  void apply(const Kernels& kernels, const float* x, float* y, std::size_t group = 0) const {
    const std::size_t n = width(), at = group * n;
    if (kind == NormKind::kRms) return kernels.rms_norm(x, weight.data() + at, n, eps, y);
    kernels.layer_norm(x, weight.data() + at, bias.empty() ? nullptr : bias.data() + at, n, eps, y);
  }
};

/// Reads "{name}.weight" of `size` elements into norm.weight. A LayerNorm may lack it, which makes its
/// weights 1, and may have "{name}.bias".
Result<void> read_norm(TensorLoader& tensors, const std::string& name, std::size_t size, Norm& norm);

}  // namespace partita::internal
