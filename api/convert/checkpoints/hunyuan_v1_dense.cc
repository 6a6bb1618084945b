// Hunyuan, dense: norms of Q and K after RoPE.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::hunyuan_v1_dense {
namespace {

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.ffn();
  in.norm("self_attn.query_layernorm", "attn_q_norm", in.config().head_dim);
  in.norm("self_attn.key_layernorm", "attn_k_norm", in.config().head_dim);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "hunyuan_v1_dense",
                                        .class_name = "HunYuanDenseV1ForCausalLM",
                                        .architecture = "hunyuan-dense",
                                        .layer = layer,
                                        .rope_alpha = true};

}  // namespace partita::internal::checkpoints::hunyuan_v1_dense
