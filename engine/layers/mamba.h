// Mamba (Gu and Dao 2023): a state-space model, each of whose channels has decays and a step of its own.
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

/// x and z are `in` of the input; x goes through the convolution and SiLU; dt, b and c are `parameters` of x.
/// With step = softplus(steps dt), each channel keeps s[k] = exp(step * a[k]) * s[k] + step * x * b[k], and
/// gives silu(z) * (s . c + skip * x).
struct Mamba {
  static constexpr std::uint32_t kMaxPlaces = 256;  // decays of a tile are on the stack

  std::uint32_t width = 0;         // channels
  std::uint32_t places = 0;        // of the state of a channel, at most kMaxPlaces
  std::uint32_t rank = 0;          // of dt
  Linear in;                       // [x: width, z: width][hidden]
  CausalConv conv;                 // of x
  Linear parameters;               // [dt: rank, b: places, c: places][width]
  Vector dt_norm, b_norm, c_norm;  // RMS norms: [rank], [places], [places], or empty
  float norm_eps = 0;
  Linear steps;           // [width][rank]
  Vector a;               // [tiles()][places][kScanChannels]
  Vector skip;            // [width]
  Linear out;             // [hidden][width]
  std::size_t state = 0;  // index of its state in the cache (Transformer::states)

  std::size_t projection_width() const { return in.weight.rows; }

  /// The state in the cache: that of the convolution, then [tiles()][places][kScanChannels].
  std::size_t tiles() const { return (width + kScanChannels - 1) / kScanChannels; }
  std::size_t tile_size() const { return places * kScanChannels; }
  std::size_t scan_offset() const { return (conv.state_bytes() + 63) / 64 * 64; }
  StateShape state_shape() const { return FixedShape{scan_offset() + tiles() * tile_size() * sizeof(float)}; }

  std::vector<const Linear*> linears() const { return {&in, &parameters, &steps, &out}; }
  std::vector<const Norm*> norms() const { return {}; }
};

/// As of every mixer: self_attention.h.
void mix(const Worker& worker, Workspace& ws, const Norm& pre, const Mamba& m, bool outputs_only);

}  // namespace partita::internal
