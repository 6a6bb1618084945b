// MiniCPM 3: latent attention; multipliers that model files do not give.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/latents.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::minicpm3 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_latent_sizes(fields, config);
  fields.only("scale_emb", 12.0);
  fields.only("scale_depth", 1.4);
  fields.only("dim_model_base", 256.0);
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  const std::size_t keys = c.latents.key_dim - c.rotary_dim;
  in.pre_norms();
  copy_latent_projections(in);
  in.linear("self_attn.kv_b_proj", "attn_kv_b", c.heads * (keys + c.latents.value_dim), c.latents.rank);
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "minicpm3",
                                        .class_name = "MiniCPM3ForCausalLM",
                                        .architecture = "minicpm3",
                                        .keys = keys,
                                        .layer = layer,
                                        .tied = true};

}  // namespace partita::internal::checkpoints::minicpm3
