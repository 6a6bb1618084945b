// DeepSeek V2 and V2 Lite: latent attention, mixtures of experts.
#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/latents.h"
#include "api/convert/checkpoints/routing.h"

namespace partita::internal::checkpoints::deepseek_v2 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_latents(fields, config);
  read_routing(fields, config, "softmax");
  const bool grouped = fields.count("n_group", 0, config.experts, 1) > 1;
  if (grouped && fields.text("topk_method", "greedy") == "greedy") {
    fields.fail(ErrorCode::kUnsupported, "topk_method",
                "only 'group_limited_greedy' can be converted where there are groups of experts");
  }
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "deepseek_v2",
                                        .class_name = "DeepseekV2ForCausalLM",
                                        .architecture = "deepseek2",
                                        .keys = keys,
                                        .layer = copy_latent_layer,
                                        .yarn_scales = true};

}  // namespace partita::internal::checkpoints::deepseek_v2
