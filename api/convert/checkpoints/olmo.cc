// OLMo 1: norms without weights.
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::olmo {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.norm_eps = 1e-5;
  if (fields.has("clip_qkv"))
    config.keys.add("attention.clamp_kqv", static_cast<float>(fields.number("clip_qkv", 1e-6, 1e6, 1)));
}

void layer(LayerCopy& in) {
  in.attention();
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "olmo",
                                        .class_name = "OlmoForCausalLM",
                                        .architecture = "olmo",
                                        .names = {.norm = ""},
                                        .keys = keys,
                                        .layer = layer,
                                        .layer_norm = true,
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::olmo
