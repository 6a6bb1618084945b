// The mixers that keep a state of fixed size instead of keys and values: gated short convolutions, Mamba,
// Mamba-2. Their code is in short_conv.h, mamba.h and mamba2.h.
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

}  // namespace partita::internal
