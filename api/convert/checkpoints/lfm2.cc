// LFM2: gated short convolutions.
#include "api/convert/checkpoints/lfm2.h"
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal {

void read_short_convolutions(JsonFields& fields, CheckpointConfig& config) {
  config.conv_width = fields.count("conv_L_cache", 2, kMaxTaps);
  config.keys.add("shortconv.l_cache", config.conv_width);
  const std::vector<std::string> types = fields.texts("layer_types", config.layers);
  for (const std::string& type : types)
    config.kv_heads_of_layers.push_back(type == "conv" ? 0 : config.kv_heads);
}

void copy_lfm2_norm(LayerCopy& in) { in.norm("model.embedding_norm", "token_embd_norm", in.config().hidden); }

void copy_lfm2_mixer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.norm("operator_norm", "attn_norm", c.hidden);
  in.norm("ffn_norm", "ffn_norm", c.hidden);
  if (!in.has("conv.conv")) {
    in.rotary("self_attn.q_proj", "attn_q", c.query_width());
    in.rotary("self_attn.k_proj", "attn_k", c.key_width());
    in.linear("self_attn.v_proj", "attn_v", c.key_width(), c.hidden);
    in.linear("self_attn.out_proj", "attn_output", c.hidden, c.query_width());
    in.norm("self_attn.q_layernorm", "attn_q_norm", c.head_dim);
    in.norm("self_attn.k_layernorm", "attn_k_norm", c.head_dim);
    return;
  }
  in.convolution("conv.conv", "shortconv.conv", c.hidden, c.conv_width);
  in.linear("conv.in_proj", "shortconv.in_proj", 3 * c.hidden, c.hidden);
  in.linear("conv.out_proj", "shortconv.out_proj", c.hidden, c.hidden);
}

void copy_lfm2_ffn(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  in.linear("feed_forward.w1", "ffn_gate", c.ffn, c.hidden);
  in.linear("feed_forward.w3", "ffn_up", c.ffn, c.hidden);
  in.linear("feed_forward.w2", "ffn_down", c.hidden, c.ffn);
}

}  // namespace partita::internal

namespace partita::internal::checkpoints::lfm2 {
namespace {

void layer(LayerCopy& in) {
  copy_lfm2_mixer(in);
  copy_lfm2_ffn(in);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "lfm2",
                                        .class_name = "Lfm2ForCausalLM",
                                        .architecture = "lfm2",
                                        .names = {.norm = ""},
                                        .keys = read_short_convolutions,
                                        .layer = layer,
                                        .globals = copy_lfm2_norm,
                                        .tied = true};

}  // namespace partita::internal::checkpoints::lfm2
