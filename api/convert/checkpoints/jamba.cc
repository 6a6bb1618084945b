// Jamba: Mamba in most layers, attention without RoPE in some; mixtures of experts in some.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/state_space.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::jamba {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_mamba(fields, config);
  const std::uint32_t period = fields.count("attn_layer_period", 1, kMaxLayers);
  const std::uint32_t offset = fields.count("attn_layer_offset", 0, period - 1);
  read_attention_layers(config, [&](std::size_t i) { return i % period == offset; });
}

void copy_mixer(LayerCopy& in) {
  const auto& sizes = in.config().state_space;
  if (in.has_attention()) return in.attention();
  copy_mamba(in, "mamba.");
  in.norm("mamba.dt_layernorm", "ssm_dt_norm", sizes.rank);
  in.norm("mamba.b_layernorm", "ssm_b_norm", sizes.places);
  in.norm("mamba.c_layernorm", "ssm_c_norm", sizes.places);
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.norm("input_layernorm", "attn_norm", c.hidden);
  in.norm("pre_ff_layernorm", "ffn_norm", c.hidden);
  copy_mixer(in);
  if (!in.has("feed_forward.router")) return in.ffn("feed_forward.");
  in.router("feed_forward.router", "ffn_gate_inp", c.experts);
  in.experts("feed_forward.experts.", "gate_proj", "ffn_gate_exps", c.ffn, c.hidden);
  in.experts("feed_forward.experts.", "up_proj", "ffn_up_exps", c.ffn, c.hidden);
  in.experts("feed_forward.experts.", "down_proj", "ffn_down_exps", c.hidden, c.ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "jamba",
                                        .class_name = "JambaForCausalLM",
                                        .architecture = "jamba",
                                        .names = {.norm = "model.final_layernorm"},
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::jamba
