#include "api/convert/checkpoints/latents.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "api/convert/checkpoints/routing.h"
#include "api/convert/rope_config.h"
#include "engine/kernels/kernels.h"
#include "engine/limits.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

/// mscale_all_dim of YaRN scales the scores. Its quotient by mscale would scale what rotates.
void read_score_scale(JsonFields& fields, CheckpointConfig& c) {
  constexpr double kMost = 1e3;
  JsonFields rope = rope_scaling(fields);
  const double scale = rope.number("mscale_all_dim", 0, kMost, 0);
  if (scale == 0) return;
  if (rope.number("mscale", 0, kMost, 0) != scale)
    rope.fail(ErrorCode::kUnsupported, "mscale", "only the number of mscale_all_dim can be converted");
  if (rope.has("attention_factor"))
    rope.fail(ErrorCode::kUnsupported, "attention_factor", "cannot be converted beside mscale_all_dim");
  c.keys.add("rope.scaling.yarn_log_multiplier", static_cast<float>(0.1 * scale));
}

/// Limits of the engine.
void check_widths(JsonFields& fields, const CheckpointConfig& c, std::uint32_t latent) {
  const auto& l = c.latents;
  for (const auto& [key, size] :
       {std::pair{"kv_lora_rank", latent}, std::pair{"qk_nope_head_dim", l.key_dim}}) {
    if (size % 2 == 0 && size <= kMaxHeadDim) continue;
    fields.fail(ErrorCode::kUnsupported, key,
                sentence("with what rotates these are ", size,
                         " numbers, which are not possible: even numbers up to ", kMaxHeadDim, " are"));
  }
  if (c.heads * l.key_dim > kMaxWidth || c.heads * std::max(latent, l.value_dim) > kMaxLatentWidth) {
    fields.fail(ErrorCode::kUnsupported, "num_attention_heads",
                sentence("the limits for all are ", kMaxWidth, " numbers of queries and ", kMaxLatentWidth,
                         " of latents"));
  }
}

}  // namespace

void read_latent_sizes(JsonFields& fields, CheckpointConfig& c) {
  auto& l = c.latents;
  l.rank = fields.count("kv_lora_rank", 1, kMaxHeadDim);
  l.query_rank = fields.count("q_lora_rank", 1, kMaxWidth, 0);
  l.key_dim = fields.count("qk_nope_head_dim", 1, kMaxHeadDim) + c.head_dim;
  l.value_dim = fields.count("v_head_dim", 1, kMaxHeadDim, std::max(c.hidden / c.heads, 1U));
  check_widths(fields, c, l.rank + c.head_dim);
  if (c.rotary_dim != c.head_dim)
    fields.fail(ErrorCode::kUnsupported, "partial_rotary_factor", "only 1 can be converted beside latents");
  c.keys.add("attention.kv_lora_rank", l.rank);
  if (l.query_rank > 0) c.keys.add("attention.q_lora_rank", l.query_rank);
  c.head_dim = l.key_dim;
  c.value_dim = l.value_dim;
}

void read_latents(JsonFields& fields, CheckpointConfig& c) {
  const std::uint32_t rotated = c.head_dim;
  read_latent_sizes(fields, c);
  fields.only("rope_interleave", true);
  c.keys.add("attention.key_length_mla", c.latents.key_dim);
  c.keys.add("attention.value_length_mla", c.latents.value_dim);
  c.kv_heads = 1;
  c.head_dim = c.latents.rank + rotated;
  c.value_dim = c.latents.rank;
  read_score_scale(fields, c);
}

void read_latents_and_sigmoid_routing(JsonFields& fields, CheckpointConfig& config) {
  read_latents(fields, config);
  read_routing(fields, config, "sigmoid");
}

void copy_latent_projections(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  const auto& l = c.latents;
  const std::size_t queries = std::size_t{c.heads} * l.key_dim;
  if (l.query_rank > 0) {
    in.linear("self_attn.q_a_proj", "attn_q_a", l.query_rank, c.hidden);
    in.norm("self_attn.q_a_layernorm", "attn_q_a_norm", l.query_rank);
    in.linear("self_attn.q_b_proj", "attn_q_b", queries, l.query_rank);
  } else {
    in.linear("self_attn.q_proj", "attn_q", queries, c.hidden);
  }
  in.linear("self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa", l.rank + c.rotary_dim, c.hidden);
  in.norm("self_attn.kv_a_layernorm", "attn_kv_a_norm", l.rank);
  in.linear("self_attn.o_proj", "attn_output", c.hidden, std::size_t{c.heads} * l.value_dim);
}

void copy_latent_attention(LayerCopy& in) {
  const auto& l = in.config().latents;
  const std::size_t keys = l.key_dim - in.config().rotary_dim, rows = keys + l.value_dim;
  copy_latent_projections(in);
  in.head_rows("self_attn.kv_b_proj", "attn_k_b", {rows, 0, keys}, l.rank, true);
  in.head_rows("self_attn.kv_b_proj", "attn_v_b", {rows, keys, l.value_dim}, l.rank);
}

void copy_latent_layer(LayerCopy& in) {
  in.pre_norms();
  copy_latent_attention(in);
  copy_routed(in);
}

}  // namespace partita::internal
