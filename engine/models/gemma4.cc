// Gemma 4, text (Google 2026): Gemma 3 with norms of values, other head sizes in local layers, embeddings per
// layer, and layers that share the keys and values of earlier ones; or mixtures of experts beside FFNs.
#include "engine/models/gemma4.h"

#include <cmath>
#include <optional>
#include <utility>
#include <variant>

#include "engine/limits.h"
#include "engine/models/family.h"
#include "engine/models/llama.h"

namespace partita::internal {
namespace models::gemma4 {
namespace {

constexpr std::uint8_t kGlobalRope = 0, kLocalRope = 1;

Attention attention(LayerReader& in, const Config& c, std::size_t index) {
  const LayerKind& kind = c.layer_kinds[index];
  const LayerSizes& sizes = c.layer_sizes[index];
  Attention a;
  a.heads = sizes.heads;
  a.widths = {sizes.head_dim, sizes.head_dim};
  a.kv = {sizes.kv_heads, a.widths.padded(), kind.window, kind.sinks};
  a.scale = c.attention_scale;
  a.rope = kind.rope;
  a.kv_layer = kind.kv_layer;
  LayerReader::Part q{"attn_q", &a.q, a.q_width(), c.hidden_size},
      k{"attn_k", &a.k, a.k_width(), c.hidden_size}, v{"attn_v", &a.v, a.v_width(), c.hidden_size};
  a.q_norm = in.rms("attn_q_norm", sizes.head_dim);
  if (a.kv_layer) {
    in.linears({q});
    for (const char* unused : {"attn_k.weight", "attn_v.weight", "attn_k_norm.weight"}) in.skip(unused);
  } else {
    if (in.has("attn_v")) {
      in.linears({q, k, v});
    } else {
      in.linears({q, k});  // values are keys before their norm
    }
    a.k_norm = in.rms("attn_k_norm", sizes.head_dim);
    a.v_norm = {Vector(sizes.head_dim, 1.0F), c.norm_eps};
  }
  in.linears({{"attn_output", &a.out, c.hidden_size, a.out_width()}});
  return a;
}

TokenInput token_input(LayerReader& in, const Config& c) {
  TokenInput input;
  input.activation = c.activation;
  in.linears({{"inp_gate", &input.gate, c.token_input_width, c.hidden_size}});
  in.linears({{"proj", &input.proj, c.hidden_size, c.token_input_width}});
  input.post = in.rms("post_norm", c.hidden_size);
  return input;
}

/// Experts beside the FFN, each with norms of their own before and after.
Moe mixture(LayerReader& in, const Config& c) {
  Moe moe = llama_moe(in, c);
  moe.shared = llama_ffn(in, c);
  moe.router_norm = {in.values("ffn_gate_inp.scale", {c.hidden_size}), c.norm_eps};
  const float root = std::sqrt(static_cast<float>(c.hidden_size));
  for (float& weight : moe.router_norm.weight) weight /= root;
  moe.expert_scale = in.values("ffn_down_exps.scale", {c.moe.experts});
  moe.pre = in.rms("pre_ffw_norm_2", c.hidden_size);
  moe.post = in.rms("post_ffw_norm_2", c.hidden_size);
  moe.shared_post = in.rms("post_ffw_norm_1", c.hidden_size);
  return moe;
}

std::variant<Ffn, Moe> feed_forward(LayerReader& in, const Config& c) {
  if (c.moe.experts > 0 && in.has("ffn_gate_inp")) return mixture(in, c);
  return llama_ffn(in, c);
}

}  // namespace
}  // namespace models::gemma4

void read_gemma4_scales(Config& config) {
  config.activation = GateFunction::kGeluTanh;
  config.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(config.hidden_size)));
  config.attention_scale = 1;
}

void read_shared_layers(MetadataReader& in, Config& config, std::uint32_t missing) {
  const std::uint32_t shared = in.count("attention.shared_kv_layers", 0, config.layers - 1, missing);
  const std::size_t own = config.layers - shared;
  for (std::size_t i = own; i < config.layers; ++i) {
    std::size_t from = own;
    while (from > 0 && config.layer_kinds[from - 1].rope != config.layer_kinds[i].rope) --from;
    if (from == 0) {
      return in.fail(ErrorCode::kBadFile, "attention.shared_kv_layers",
                     "is " + std::to_string(shared) + ", and no earlier layer is of the kind of layer " +
                         std::to_string(i));
    }
    config.layer_kinds[i].kv_layer = from - 1;
    config.layer_sizes[i].kv_heads = config.layer_sizes[from - 1].kv_heads;
  }
}

Layer gemma4_layer(LayerReader& in, const Config& c, std::size_t index) {
  Config own = c;  // layers differ in their FFN's size
  own.ffn_size = c.layer_sizes[index].ffn;
  Layer layer;
  layer.pre = in.rms("attn_norm", c.hidden_size);
  layer.mixer = models::gemma4::attention(in, c, index);
  layer.post = in.rms("post_attention_norm", c.hidden_size);
  layer.ffn_pre = in.rms("ffn_norm", c.hidden_size);
  layer.ffn = models::gemma4::feed_forward(in, own);
  layer.ffn_post = in.rms("post_ffw_norm", c.hidden_size);
  if (c.token_input_width > 0) layer.token_input = models::gemma4::token_input(in, c);
  if (in.has("layer_output_scale")) {
    const Vector scale = in.values("layer_output_scale.weight", {1});
    if (!scale.empty()) layer.output_scale = scale[0];
  }
  return layer;
}

namespace models::gemma4 {
namespace {

/// Local layers have heads of a size of their own.
void read_local_heads(MetadataReader& in, Config& config) {
  const std::uint32_t size = in.count("attention.key_length_swa", 2, kMaxHeadDim, config.head_dim);
  const std::uint32_t values = in.count("attention.value_length_swa", 2, kMaxHeadDim, size);
  if (size % 2 != 0 || values != size) {
    return in.fail(
        ErrorCode::kUnsupported, "attention.key_length_swa",
        "is " + std::to_string(size) + ", and only even sizes that are those of values can be used");
  }
  for (std::size_t i = 0; i < config.layer_kinds.size(); ++i) {
    if (config.layer_kinds[i].rope != kLocalRope) continue;
    config.layer_sizes[i].head_dim = config.layer_sizes[i].value_dim = size;
    if (config.layer_sizes[i].heads * size <= kMaxWidth) continue;
    return in.fail(
        ErrorCode::kUnsupported, "attention.key_length_swa",
        "is " + std::to_string(size) + ", and the limit for all heads is " + std::to_string(kMaxWidth));
  }
  const std::uint32_t dims = in.local_rope_dims(size);
  config.rope.push_back(make_rope(in.rope_base("rope.freq_base_swa"), dims));
}

void read(MetadataReader& in, Config& config) {
  read_gemma4_scales(config);
  config.rope = {in.global_rope(config.rope_dims)};
  read_local_layers(in, 6, kLocalRope, kGlobalRope, config);
  read_local_heads(in, config);
  read_shared_layers(in, config);
  config.token_input_width = in.count("embedding_length_per_layer_input", 0, kMaxWidth / config.layers, 0);
}

}  // namespace

extern const Family family = {.name = "gemma4", .read = read, .layer = gemma4_layer};

}  // namespace models::gemma4
}  // namespace partita::internal
