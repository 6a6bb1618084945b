// The parts of RWKV-7, which rwkv7.h and token_shift.h compute.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/cache/state_shape.h"
#include "engine/kernels/kernels.h"
#include "engine/layers/norm.h"
#include "engine/tensor_loader.h"

namespace partita::internal {

/// x + weight * (before - x), where x is the norm of a row, and `before` that of the row before it.
struct TokenShift {
  Norm norm;              // [hidden]
  Vector weight;          // [hidden]; empty: no shift
  std::size_t state = 0;  // index of its state in the cache (Transformer::states)

  bool empty() const { return weight.empty(); }
  StateShape state_shape() const { return FixedShape{weight.size() * sizeof(float)}; }
};

/// up(f(down x)) + up.bias
struct LowRank {
  Linear down, up;  // [rank][hidden], [width][rank]
};

/// RWKV-7 (Peng et al. 2025): heads with a matrix state S [keys][values] that changes by a generalised delta
/// rule. Each of six streams has a token shift of its own. With the removal key u = unit(k * key_scale) and
/// the rate a of each head: S = decay S; S -= (u * a) (u S)^T of the S before; S += (k (1 + (a - 1) *
/// rate_scale)) v^T; y = norm(r S) + (r . (k * bonus)) v, times the gate.
struct Rwkv7 {
  static constexpr std::uint32_t kMaxHead = 256;  // its numbers are on the stack

  /// The inputs, in the order of their shifts.
  enum Stream : std::uint8_t { kReceptance, kDecay, kKey, kValue, kRate, kGate, kStreams };

  std::uint32_t heads = 0, head_dim = 0;
  Vector shifts;   // [kStreams][hidden]
  Linear r, k, v;  // [width()][hidden]
  LowRank decay;   // f: tanh; the decay is e^(-0.606531 sigmoid of it)
  LowRank rate;    // before its sigmoid
  LowRank mix;     // before its sigmoid: how much of the first layer's values replaces v; the first has none
  LowRank gate;    // f: sigmoid
  Vector key_scale, rate_scale, bonus;  // [width()]
  Norm unit;                            // L2 norm of each head of u
  Norm norm;                            // LayerNorm of each head of y, with its own weights
  Linear out;                           // [hidden][width()]
  std::size_t state = 0;                // index of its state in the cache (Transformer::states)

  std::size_t width() const { return std::size_t{heads} * head_dim; }
  std::size_t projection_width() const { return width(); }  // of rows of Workspace::q
  bool first() const { return mix.up.weight.rows == 0; }
  const float* shift_of(Stream stream) const { return shifts.data() + stream * (shifts.size() / kStreams); }

  /// The state in the cache: [heads][tiles()][head_dim keys][kScanChannels values], then the last row.
  std::size_t tiles() const { return (head_dim + kScanChannels - 1) / kScanChannels; }
  std::size_t tile_size() const { return head_dim * kScanChannels; }
  std::size_t head_bytes() const { return tiles() * tile_size() * sizeof(float); }
  std::size_t row_offset() const { return heads * head_bytes(); }
  StateShape state_shape() const {
    return FixedShape{row_offset() + shifts.size() / kStreams * sizeof(float)};
  }

  std::vector<const Linear*> linears() const {
    return {&r,       &k,        &v,      &decay.down, &decay.up, &rate.down,
            &rate.up, &mix.down, &mix.up, &gate.down,  &gate.up,  &out};
  }
  std::vector<const Norm*> norms() const { return {&norm}; }
};

}  // namespace partita::internal
