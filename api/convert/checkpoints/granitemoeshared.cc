// Granite 4 tiny: a shared expert beside the others.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/granite.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"
#include "weights/sentence.h"

namespace partita::internal {

void read_granite_moe(JsonFields& fields, CheckpointConfig& config) {
  config.expert_ffn = config.ffn;
  config.shared_ffn = fields.count("shared_intermediate_size", 1, kMaxFfn);
  config.keys.add("expert_shared_feed_forward_length", config.shared_ffn);
  read_multipliers(fields, config);
}

void copy_granite_ffn(LayerCopy& in, std::string_view after) {
  const CheckpointConfig& c = in.config();
  in.halves("shared_mlp.input_linear", sentence("ffn_gate", after), sentence("ffn_up", after), 0,
            c.shared_ffn, c.hidden);
  in.linear("shared_mlp.output_linear", sentence("ffn_down", after), c.hidden, c.shared_ffn);
}

}  // namespace partita::internal

namespace partita::internal::checkpoints::granitemoeshared {
namespace {

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  copy_granite_experts(in);
  copy_granite_ffn(in, "_shexp");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "granitemoeshared",
                                        .class_name = "GraniteMoeSharedForCausalLM",
                                        .architecture = "granitemoe",
                                        .keys = read_granite_moe,
                                        .layer = layer,
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::granitemoeshared
