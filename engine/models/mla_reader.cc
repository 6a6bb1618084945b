#include "engine/models/mla_reader.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/limits.h"
#include "engine/models/llama.h"

namespace partita::internal {
namespace {

/// Of the norms of latents and of queries of low rank, in all models, whatever that of other norms is.
constexpr float kEps = 1e-6F;

Norm latent_norm(LayerReader& in, std::string_view name, std::size_t size) {
  Norm norm = in.rms(name, size);
  norm.eps = kEps;
  return norm;
}

/// attn_kv_b: for each head the rows of keys, then those of values. The absorbed form multiplies by the
/// transposed matrix of keys.
void read_fused(LayerReader& in, const Config& c, Mla& a) {
  const std::size_t rank = a.widths.value, key = a.head.key - a.rotated(), value = a.head.value;
  const std::size_t rows = c.heads * (key + value);
  for (std::size_t h = 0; h < c.heads; ++h) {
    const std::size_t first = h * (key + value);
    in.transposed({"attn_kv_b", &a.k_b[h], key, rank, RopePairs::kNone, first, rows});
    in.linears({{"attn_kv_b", &a.v_b[h], value, rank, RopePairs::kNone, first + key, rows}});
  }
}

}  // namespace

void read_latent_sizes(MetadataReader& in, Config& c) {
  constexpr std::string_view kRotated = "rope.dimension_count", kRank = "attention.kv_lora_rank",
                             kKey = "attention.key_length_mla", kValue = "attention.value_length_mla";
  LatentSizes& sizes = c.latent;
  sizes.rank = in.count(kRank, 0, kMaxHeadDim, 0);
  if (sizes.rank == 0) return;
  sizes.query_rank = in.count("attention.q_lora_rank", 0, kMaxWidth, 0);
  // In older files attention.key_length and attention.value_length are those of a head.
  c.head_dim = in.count(kKey, 1, kMaxHeadDim, c.head_dim);
  sizes.value = in.has(kValue) ? in.count(kValue, 1, kMaxHeadDim)
                               : in.count("attention.value_length", 1, kMaxHeadDim,
                                          c.hidden_size / std::max(c.heads, 1U));
  const auto bad = [&](std::string_view name, std::uint32_t found, const std::string& rest) {
    in.fail(ErrorCode::kUnsupported, name, "is " + std::to_string(found) + ", and " + rest);
  };
  if (c.rope_dims >= c.head_dim)
    bad(kRotated, c.rope_dims, "the query of a head has " + std::to_string(c.head_dim) + " columns");
  const std::uint32_t key = sizes.rank + c.rope_dims;
  if (key > kMaxHeadDim) {
    bad(kRank, sizes.rank,
        "with " + std::to_string(c.rope_dims) + " rotated columns, the limit is " +
            std::to_string(kMaxHeadDim));
  }
  if (c.heads * std::max(key, sizes.value) > kMaxLatentWidth) {
    bad(kRank, sizes.rank,
        "for each of " + std::to_string(c.heads) + " heads, the limit for all is " +
            std::to_string(kMaxLatentWidth));
  }
}

void read_latent_layers(MetadataReader& in, Config& c) {
  constexpr std::string_view kMultiplier = "rope.scaling.yarn_log_multiplier";
  constexpr double kMost = 1e3;
  Rope rope = in.global_rope(c.rope_dims);
  if (in.has(kMultiplier) && in.text("rope.scaling.type", "") == "yarn") {
    // The magnitude is in the scale of scores, twice: once for the query, once for the key.
    const double magnitude =
        1 + in.number(kMultiplier, 0, kMost) * std::log(in.number("rope.scaling.factor", 1, 1e6));
    c.attention_scale *= static_cast<float>(magnitude * magnitude);
    rope.magnitude = static_cast<float>(in.number("rope.scaling.attn_factor", 0, 1e6, 1));
  }
  c.rope = {std::move(rope)};
  c.layer_kinds.assign(c.layers, LayerKind{in.window(), 0});
  constexpr std::string_view kTemperature = "attention.temperature_scale";  // Mistral Large 3
  if (in.number(kTemperature, 0, kMost, 0) != 0) {
    in.fail(ErrorCode::kUnsupported, kTemperature,
            "is not 0, and latent attention whose queries are scaled by position cannot be used");
  }
}

Mla read_mla(LayerReader& in, const Config& c, std::size_t index, RopePairs pairs) {
  const LatentSizes& sizes = c.latent;
  const LayerKind& kind = c.layer_kinds[index];
  Mla a;
  a.heads = c.heads;
  a.widths = {sizes.rank + c.rope_dims, sizes.rank};
  a.head = {c.head_dim, sizes.value};
  a.kv = {
      .heads = 1, .widths = a.widths.padded(), .window = kind.window, .sinks = kind.sinks, .latent = true};
  a.scale = c.attention_scale;
  a.rope = kind.rope;
  LayerReader::Part latents = {"attn_kv_a_mqa", &a.k, a.widths.key, c.hidden_size, pairs};
  latents.head = a.widths.key;
  const std::size_t queries = std::size_t{c.heads} * c.head_dim;
  if (sizes.query_rank > 0) {
    a.q_norm = latent_norm(in, "attn_q_a_norm", sizes.query_rank);
    in.linears({{"attn_q_a", &a.q_a, sizes.query_rank, c.hidden_size}, latents});
    in.linears({{"attn_q_b", &a.q, queries, sizes.query_rank, pairs}});
  } else {
    in.linears({{"attn_q", &a.q, queries, c.hidden_size, pairs}, latents});
  }
  a.k_norm = latent_norm(in, "attn_kv_a_norm", sizes.rank);
  a.k_b.resize(c.heads);
  a.v_b.resize(c.heads);
  if (in.has("attn_kv_b")) {
    read_fused(in, c, a);
  } else {
    in.stack("attn_k_b", sizes.rank, c.head_dim - c.rope_dims, a.k_b);
    in.stack("attn_v_b", sizes.value, sizes.rank, a.v_b);
  }
  in.linears({{"attn_output", &a.out, c.hidden_size, std::size_t{c.heads} * sizes.value}});
  return a;
}

Layer latent_layer(LayerReader& in, const Config& c, std::size_t index, RopePairs pairs) {
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.ffn_pre = in.rms("ffn_norm", c.hidden_size);
  layer.mixer = read_mla(in, c, index, pairs);
  layer.ffn = llama_feed_forward(in, c);
  layer.residual_scale = c.residual_scale;
  return layer;
}

}  // namespace partita::internal
