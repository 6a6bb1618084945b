// GPT-2: learned positions, matrices stored transposed.
#include "api/convert/checkpoints/gpt2.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

void check_gpt2_scores(JsonFields& fields, CheckpointConfig& /*config*/) {
  fields.only("scale_attn_weights", true);
  fields.only("scale_attn_by_inverse_layer_idx", false);
}

void copy_gpt2_positions(LayerCopy& in) {
  in.small("transformer.wpe", "position_embd", in.config().context, in.config().hidden);
}

void copy_gpt2_norms(LayerCopy& in) {
  in.norm("ln_1", "attn_norm", in.config().hidden);
  in.norm("ln_2", "ffn_norm", in.config().hidden);
}

}  // namespace partita::internal

namespace partita::internal::checkpoints::gpt2 {
namespace {

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  copy_gpt2_norms(in);
  in.transposed("attn.c_attn", "attn_qkv", 3 * c.hidden, c.hidden);
  in.transposed("attn.c_proj", "attn_output", c.hidden, c.hidden);
  in.transposed("mlp.c_fc", "ffn_up", c.ffn, c.hidden);
  in.transposed("mlp.c_proj", "ffn_down", c.hidden, c.ffn);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "gpt2",
                                        .class_name = "GPT2LMHeadModel",
                                        .architecture = "gpt2",
                                        .names = kGpt2Names,
                                        .keys = check_gpt2_scores,
                                        .layer = layer,
                                        .globals = copy_gpt2_positions,
                                        .layer_norm = true,
                                        .usual_ffn = 4,
                                        .tied = true,
                                        .activation = "gelu_new"};

}  // namespace partita::internal::checkpoints::gpt2
