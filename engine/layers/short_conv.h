// Gated short convolution: the mixer of most layers of LFM2 (Liquid AI 2025).
#pragma once

#include <cstddef>
#include <vector>

#include "engine/cache/state_shape.h"
#include "engine/layers/causal_conv.h"
#include "engine/tensor_loader.h"

namespace partita::internal {

struct Norm;
struct Workspace;
struct Worker;

/// out(c * conv(b * x)), where b, c and x are `in` of the input.
struct ShortConv {
  Linear in;  // [b c x: 3 * conv.columns][hidden]
  CausalConv conv;
  Linear out;             // [hidden][conv.columns]
  std::size_t state = 0;  // index of its state in the cache (Transformer::states)

  std::size_t projection_width() const { return in.weight.rows; }
  StateShape state_shape() const { return FixedShape{conv.state_bytes()}; }
  std::vector<const Linear*> linears() const { return {&in, &out}; }
  std::vector<const Norm*> norms() const { return {}; }
};

/// As of every mixer: self_attention.h.
void mix(const Worker& worker, Workspace& ws, const Norm& pre, const ShortConv& m, bool outputs_only);

}  // namespace partita::internal
