#include "sampling/heads/heads.h"

namespace partita::internal {

std::unique_ptr<OutputHead> make_head(const OutputWeights& weights, const Kernels& kernels) {
  switch (weights.kind) {
    case OutputKind::kDense:
      break;
    case OutputKind::kAdaptive:
      return make_adaptive_head(weights, kernels);
    case OutputKind::kTree:
      return make_tree_head(weights, kernels);
    case OutputKind::kMixture:
      return make_mixture_head(weights, kernels);
  }
  return make_dense_head({weights.root, weights.softcap}, kernels);
}

}  // namespace partita::internal
