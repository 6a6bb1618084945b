// Mamba-2 (Dao and Gu 2024): a state-space model, each of whose heads has one decay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/cache/state_shape.h"
#include "engine/kernels/kernels.h"
#include "engine/layers/causal_conv.h"
#include "engine/tensor_loader.h"

namespace partita::internal {

struct Norm;
struct Workspace;
struct Worker;

/// z, x, b, c and dt are `in` of the input; x, b and c go through the convolution and SiLU. With step =
/// softplus(dt + step_bias), each channel of a head keeps s[k] = exp(step * a) * s[k] + step * x * b[k], and
/// gives silu(z) * (s . c + skip * x). Heads of a group share b and c.
struct Mamba2 {
  std::uint32_t heads = 0, head_dim = 0, groups = 0;
  std::uint32_t places = 0;   // of the state of a channel
  Linear in;                  // [z: width(), x: width(), b: groups * places, c: the same, dt: heads][hidden]
  CausalConv conv;            // of x, b and c
  Vector step_bias, a, skip;  // [heads]
  Vector norm;                // RMS norm of each group of channels: [width()], or empty
  float norm_eps = 0;
  Linear out;             // [hidden][width()]
  std::size_t state = 0;  // index of its state in the cache (Transformer::states)

  std::size_t width() const { return std::size_t{heads} * head_dim; }
  std::size_t projection_width() const { return in.weight.rows; }

  /// The state in the cache: that of the convolution, then [heads][tiles()][places][kScanChannels].
  std::size_t tiles() const { return (head_dim + kScanChannels - 1) / kScanChannels; }
  std::size_t tile_size() const { return places * kScanChannels; }
  std::size_t head_bytes() const { return tiles() * tile_size() * sizeof(float); }
  std::size_t scan_offset() const { return (conv.state_bytes() + 63) / 64 * 64; }
  StateShape state_shape() const { return FixedShape{scan_offset() + heads * head_bytes()}; }

  std::vector<const Linear*> linears() const { return {&in, &out}; }
  std::vector<const Norm*> norms() const { return {}; }
};

/// As of every mixer: self_attention.h.
void mix(const Worker& worker, Workspace& ws, const Norm& pre, const Mamba2& m, bool outputs_only);

}  // namespace partita::internal
