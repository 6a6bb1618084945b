// Solar Open.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::solar_open {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) { read_routing(fields, config, "sigmoid"); }

void layer(LayerCopy& in) {
  in.norm("input_layernorm", "attn_norm", in.config().hidden);
  in.norm("post_attention_layernorm", "post_attention_norm", in.config().hidden);
  in.attention();
  copy_routed(in);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "solar_open",
                                        .class_name = "SolarOpenForCausalLM",
                                        .architecture = "glm4moe",
                                        .keys = keys,
                                        .layer = layer};

}  // namespace partita::internal::checkpoints::solar_open
