// Llama 1 to 3, Mistral 7B, SmolLM2 (Touvron et al. 2023): what other families differ from.
#include "engine/models/llama.h"

#include "engine/layers/alibi.h"
#include "engine/models/family.h"

namespace partita::internal {
namespace {

void read_qkv(LayerReader& in, const Config& c, Attention& a, RopePairs pairs) {
  const std::size_t q = a.q_width(), k = a.k_width(), v = a.v_width(), all = q + k + v;
  if (in.has("attn_qkv")) {
    return in.linears({{"attn_qkv", &a.q, q, c.hidden_size, pairs, 0, all},
                       {"attn_qkv", &a.k, k, c.hidden_size, pairs, q, all},
                       {"attn_qkv", &a.v, v, c.hidden_size, RopePairs::kNone, q + k, all}});
  }
  in.linears({{"attn_q", &a.q, q, c.hidden_size, pairs},
              {"attn_k", &a.k, k, c.hidden_size, pairs},
              {"attn_v", &a.v, v, c.hidden_size}});
}

struct FfnNames {
  std::string_view gate, up, down;
};

/// The gate may be the first rows of `up`.
Ffn gated_ffn(LayerReader& in, const Config& c, const FfnNames& names, std::size_t rows) {
  Ffn ffn;
  ffn.activation = c.activation;
  const std::size_t both = 2 * rows;
  if (!in.has(names.gate) && in.has(names.up, both)) {
    in.linears({{names.up, &ffn.gate, rows, c.hidden_size, RopePairs::kNone, 0, both}});
    in.linears({{names.up, &ffn.up, rows, c.hidden_size, RopePairs::kNone, rows, both}});
  } else {
    in.linears({{names.gate, &ffn.gate, rows, c.hidden_size}});
    in.linears({{names.up, &ffn.up, rows, c.hidden_size}});
  }
  in.linears({{names.down, &ffn.down, c.hidden_size, rows}});
  return ffn;
}

/// The shared expert; of no width: there is none.
Ffn shared_expert(LayerReader& in, const Config& c, std::size_t rows) {
  Ffn shared;
  if (rows == 0) return shared;
  if (c.moe.gated) return gated_ffn(in, c, {"ffn_gate_shexp", "ffn_up_shexp", "ffn_down_shexp"}, rows);
  shared.activation = c.activation;
  in.linears({{"ffn_up_shexp", &shared.up, rows, c.hidden_size}});
  in.linears({{"ffn_down_shexp", &shared.down, c.hidden_size, rows}});
  return shared;
}

}  // namespace

Attention attention_of(const Config& c, std::size_t index) {
  const LayerKind& kind = c.layer_kinds[index];
  Attention a;
  const LayerSizes& sizes = c.layer_sizes[index];
  a.heads = sizes.heads;
  a.widths = {sizes.head_dim, sizes.value_dim};
  a.kv = {sizes.kv_heads, a.widths.padded(), kind.window, kind.sinks};
  a.scale = c.attention_scale;
  a.clamp = c.clamp;
  a.value_scale = c.value_scale;
  a.softcap = c.attention_softcap;
  a.query_scale = c.query_scale;
  a.rope = kind.rope;
  if (c.max_alibi_bias > 0) a.slopes = alibi_slopes(a.heads, static_cast<double>(c.max_alibi_bias));
  return a;
}

Attention llama_attention(LayerReader& in, const Config& c, std::size_t index, RopePairs pairs) {
  Attention a = attention_of(c, index);
  read_qkv(in, c, a, pairs);
  in.linears({{"attn_output", &a.out, c.hidden_size, a.out_width()}});
  return a;
}

void read_head_norms(LayerReader& in, Attention& a) {
  a.q_norm = in.rms("attn_q_norm", a.widths.key);
  a.k_norm = in.rms("attn_k_norm", a.widths.key);
}

void read_projection_norms(LayerReader& in, Attention& a) {
  a.q_norm = in.rms("attn_q_norm", a.q_width());
  a.k_norm = in.rms("attn_k_norm", a.k_width());
}

Ffn llama_ffn(LayerReader& in, const Config& c) {
  return gated_ffn(in, c, {"ffn_gate", "ffn_up", "ffn_down"}, c.ffn_size);
}

Moe llama_moe(LayerReader& in, const Config& c) {
  const MoeSizes& sizes = c.moe;
  Moe moe;
  moe.routing = sizes.routing;
  in.linears({{"ffn_gate_inp", &moe.router, sizes.experts, c.hidden_size}});
  for (const std::string_view name : {"exp_probs_b.bias", "exp_probs_b.weight", "exp_probs_b"}) {
    if (moe.choice_bias.empty()) moe.choice_bias = in.optional_vector(name, sizes.experts);
  }
  moe.experts.resize(sizes.experts);
  for (Ffn& expert : moe.experts) expert.activation = c.activation;
  const std::size_t width = sizes.ffn_size;
  if (in.has("ffn_gate_up_exps")) {
    in.experts({"ffn_gate_up_exps", &Ffn::gate, width, c.hidden_size, &Ffn::up}, moe.experts);
  } else {
    if (sizes.gated) in.experts({"ffn_gate_exps", &Ffn::gate, width, c.hidden_size}, moe.experts);
    in.experts({"ffn_up_exps", &Ffn::up, width, c.hidden_size}, moe.experts);
  }
  in.experts({"ffn_down_exps", &Ffn::down, c.hidden_size, width}, moe.experts);
  moe.shared = shared_expert(in, c, sizes.shared_ffn_size);
  return moe;
}

std::variant<Ffn, Moe> llama_feed_forward(LayerReader& in, const Config& c) {
  if (c.moe.experts > 0 && in.has("ffn_gate_inp")) return llama_moe(in, c);
  return llama_ffn(in, c);
}

Ffn ungated_ffn(LayerReader& in, const Config& c, std::size_t index) {
  Ffn ffn;
  ffn.activation = c.activation;
  if (!c.xielu.empty()) ffn.activation.xielu = c.xielu[index];
  const std::size_t width = c.layer_sizes[index].ffn;
  in.linears({{"ffn_up", &ffn.up, width, c.hidden_size}});
  in.linears({{"ffn_down", &ffn.down, c.hidden_size, width}});
  return ffn;
}

Layer attention_layer(LayerReader& in, const Config& c, std::size_t index, RopePairs pairs) {
  Layer layer;
  layer.parallel = c.parallel;
  layer.pre = in.norm("attn_norm", c.hidden_size);
  const bool shared = c.parallel && !in.has("ffn_norm");
  layer.ffn_pre = shared ? layer.pre : in.norm("ffn_norm", c.hidden_size);
  layer.mixer = llama_attention(in, c, index, pairs);
  layer.residual_scale = c.residual_scale;
  return layer;
}

Layer ungated_layer(LayerReader& in, const Config& c, std::size_t index, RopePairs pairs) {
  Layer layer = attention_layer(in, c, index, pairs);
  layer.ffn = ungated_ffn(in, c, index);
  return layer;
}

Layer llama_layer(LayerReader& in, const Config& c, std::size_t index, RopePairs pairs) {
  Layer layer = attention_layer(in, c, index, pairs);
  layer.ffn = llama_feed_forward(in, c);
  return layer;
}

void read_local_layers(MetadataReader& in, std::uint32_t missing_period, std::uint8_t rope_of_local,
                       std::uint8_t rope_of_global, Config& config, std::uint32_t missing_window) {
  constexpr std::string_view kPattern = "attention.sliding_window_pattern";  // a period, or one flag a layer
  constexpr std::uint32_t kMaxPeriod = 1024;
  const std::uint32_t window = in.window(missing_window);
  config.layer_kinds.assign(config.layers, LayerKind{0, rope_of_global});
  if (window == 0) return;

  const std::vector<bool> local = in.flags(kPattern, config.layers);
  const std::uint32_t period = local.empty() ? in.count(kPattern, 1, kMaxPeriod, missing_period) : 1;
  for (std::uint32_t i = 0; i < config.layers; ++i) {
    if (local.empty() ? i % period != period - 1 : local[i]) config.layer_kinds[i] = {window, rope_of_local};
  }
}

void read_uniform_layers(MetadataReader& in, Config& config) {
  const std::uint32_t window = in.window();
  config.rope = {in.global_rope(config.rope_dims)};
  config.layer_kinds.assign(config.layers, LayerKind{window, 0});
  const std::vector<bool> local = in.flags("attention.sliding_window_pattern", config.layers);
  for (std::size_t i = 0; i < local.size(); ++i) config.layer_kinds[i].window = local[i] ? window : 0;
}

void read_learned_positions(MetadataReader& in, Config& config) {
  config.learned_positions = true;
  config.layer_kinds.assign(config.layers, LayerKind{in.window(), kNoRope});
}

namespace models::llama {

extern const Family family = {.name = "llama",
                              .read = read_uniform_layers,
                              .layer = [](LayerReader& in, const Config& c, std::size_t index) {
                                return llama_layer(in, c, index, RopePairs::kAdjacent);
                              }};

}  // namespace models::llama
}  // namespace partita::internal
