// Granite 4 tiny: a shared expert beside the others.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/granite.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  config.expert_ffn = config.ffn;
  config.shared_ffn = fields.count("shared_intermediate_size", 1, kMaxFfn);
  config.keys.add("expert_shared_feed_forward_length", config.shared_ffn);
  read_multipliers(fields, config);
}

void layer(LayerCopy& in) {
  copy_granite_moe(in);
  const CheckpointConfig& c = in.config();
  in.halves("shared_mlp.input_linear", "ffn_gate_shexp", "ffn_up_shexp", 0, c.shared_ffn, c.hidden);
  in.linear("shared_mlp.output_linear", "ffn_down_shexp", c.hidden, c.shared_ffn);
}

}  // namespace

extern const CheckpointFamily granitemoeshared = {.model_type = "granitemoeshared",
                                                  .class_name = "GraniteMoeSharedForCausalLM",
                                                  .architecture = "granitemoe",
                                                  .keys = keys,
                                                  .layer = layer,
                                                  .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints
