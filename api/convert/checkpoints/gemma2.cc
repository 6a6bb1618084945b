// Gemma 2: soft caps, local layers.
#include <cmath>
#include <utility>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/gemma.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

void read_query_scalar(JsonFields& fields, CheckpointConfig& config) {
  const double scalar = fields.number("query_pre_attn_scalar", 1e-6, 1e6, config.head_dim);
  if (scalar != config.head_dim)
    config.keys.add("attention.scale", static_cast<float>(1 / std::sqrt(scalar)));
}

void copy_gemma_norms(LayerCopy& in) {
  const std::size_t hidden = in.config().hidden;
  in.norm("input_layernorm", "attn_norm", hidden);
  in.norm("post_attention_layernorm", "post_attention_norm", hidden);
  in.norm("pre_feedforward_layernorm", "ffn_norm", hidden);
  in.norm("post_feedforward_layernorm", "post_ffw_norm", hidden);
}

void copy_gemma2(LayerCopy& in) {
  copy_gemma_norms(in);
  in.attention();
  in.ffn();
}

}  // namespace partita::internal

namespace partita::internal::checkpoints::gemma2 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  fields.only("use_bidirectional_attention", false);
  read_windows(fields, config, {.window = 4096, .period = 2});
  read_query_scalar(fields, config);
  for (const auto& [cap, usual] :
       {std::pair{"attn_logit_softcapping", 50.0}, std::pair{"final_logit_softcapping", 30.0}}) {
    const double missing = fields.is_null(cap) ? 0 : usual;
    config.keys.add(cap, static_cast<float>(fields.number(cap, 0, 1e6, missing)));
  }
}

void layer(LayerCopy& in) { copy_gemma2(in); }

}  // namespace

extern const CheckpointFamily family = {.model_type = "gemma2",
                                        .class_name = "Gemma2ForCausalLM",
                                        .architecture = "gemma2",
                                        .keys = keys,
                                        .layer = layer,
                                        .tied = true,
                                        .activation = "gelu_pytorch_tanh",
                                        .norm_offset = 1};

}  // namespace partita::internal::checkpoints::gemma2
