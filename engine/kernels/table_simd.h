// The kernel table of a vector type.
#pragma once

#include "engine/kernels/attention_simd.h"
#include "engine/kernels/delta_simd.h"
#include "engine/kernels/elementwise_simd.h"
#include "engine/kernels/latent_simd.h"
#include "engine/kernels/matmul_simd.h"
#include "engine/kernels/scan_simd.h"
#include "engine/kernels/screen_simd.h"

namespace partita::internal {
namespace {

/// Calls f with the fused attention over pages of `type`.
template <class V, class F>
void for_kv_type(KvType type, F&& f) {
  switch (type) {
    case KvType::kF16:
      return f(PageAttention<V, KvType::kF16>{});
    case KvType::kF32:
      return f(PageAttention<V, KvType::kF32>{});
    case KvType::kF16I8:
      return f(PageAttention<V, KvType::kF16I8>{});
  }
}

template <class V>
constexpr Kernels make_table() {
  return Kernels{
      .isa = V::kIsa,
      .quantize = quantize<V>,
      .matmul = Matmul<V>::run,
      .screen = Screen<V>::run,
      .change_basis = change_basis<V>,
      .unpack = Matmul<V>::unpack,
      .rms_norm = rms_norm<V>,
      .layer_norm = layer_norm<V>,
      .add = add<V>,
      .gate = gate<V>,
      .softplus = softplus<V>,
      .scan = scan<V>,
      .decay = decay<V>,
      .delta_rule = DeltaRule<V>::run,
      .soft_cap = soft_cap<V>,
      .rope = rope<V>,
      .append =
          [](KvType type, const float* k, const float* v, HeadWidths widths, int token, std::byte* k_page,
             std::byte* v_page) {
            for_kv_type<V>(type,
                           [&](auto attention) { attention.append(k, v, widths, token, k_page, v_page); });
          },
      .attend =
          [](KvType type, const QueryTile& tile, const KvPage& page, int n_keys, const SoftmaxState& state) {
            for_kv_type<V>(type, [&](auto attention) { attention.run(tile, page, n_keys, state); });
          },
      .append_latent =
          [](KvType type, const float* latent, std::size_t width, int token, std::byte* page) {
            for_latent_type<V>(type, [&](auto latents) { latents.append(latent, width, token, page); });
          },
      .attend_latent =
          [](KvType type, const QueryTile& tile, const KvPage& page, int n_keys, const SoftmaxState& state) {
            for_latent_type<V>(type, [&](auto latents) { latents.run(tile, page, n_keys, state); });
          },
      .merge = merge<V>,
      .finish = finish<V>,
      .max = max<V>,
      .exp_sum = exp_sum<V>,
  };
}

}  // namespace
}  // namespace partita::internal
