// SmolLM3: no RoPE in every fourth layer.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::smollm3 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  check_rope_layers(fields, config);
  fields.only("use_sliding_window", false);
  read_windows(fields, config, {.switched = true});
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "smollm3",
                                        .class_name = "SmolLM3ForCausalLM",
                                        .architecture = "smollm3",
                                        .keys = keys,
                                        .layer = layer,
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::smollm3
