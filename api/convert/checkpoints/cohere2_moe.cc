// Cohere 2, mixtures of experts: its layers are those of Command R7B; the first ones may be dense.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/cohere.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::cohere2_moe {
namespace {

/// What model files have no keys for: dense layers rotate if they are global too, and shared experts count as
/// much as all that are chosen.
void check_constants(JsonFields& fields, const CheckpointConfig& c) {
  if (fields.count("prefix_dense_sliding_window_pattern", 1, kMaxLayers, 1) != 1) {
    fields.fail(ErrorCode::kUnsupported, "prefix_dense_sliding_window_pattern", "only 1 can be converted");
  }
  if (c.shared_ffn > 0 && fields.text("shared_expert_combination_strategy", "average") != "average") {
    fields.fail(ErrorCode::kUnsupported, "shared_expert_combination_strategy",
                "only \"average\" can be converted");
  }
}

void keys(JsonFields& fields, CheckpointConfig& c) {
  read_logit_scale(fields, c);
  read_cohere_windows(fields, c);
  c.keys.add("expert_feed_forward_length", c.expert_ffn);
  read_routing(fields, c, "softmax");
  if (c.shared_ffn > 0) c.keys.add("expert_shared_feed_forward_length", c.shared_ffn);
  if (fields.has("rms_norm_eps"))
    c.keys.add("attention.layer_norm_rms_epsilon", static_cast<float>(c.norm_eps));
  c.ffn = fields.count("prefix_dense_intermediate_size", 1, kMaxFfn, c.ffn);
  check_constants(fields, c);
}

void layer(LayerCopy& in) {
  in.norm("input_layernorm", "attn_norm", in.config().hidden);
  in.attention();
  copy_routed(in);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "cohere2_moe",
                                        .class_name = "Cohere2MoeForCausalLM",
                                        .architecture = "cohere2moe",
                                        .keys = keys,
                                        .layer = layer,
                                        .layer_norm = true,
                                        .tied = true};

}  // namespace partita::internal::checkpoints::cohere2_moe
