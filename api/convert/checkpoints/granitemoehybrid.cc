// Granite 4: Mamba-2 in most layers, attention in some; an FFN beside the mixture of experts or alone.
#include <algorithm>
#include <string>
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/granite.h"
#include "api/convert/checkpoints/state_space.h"
#include "api/convert/layer_copy.h"

namespace partita::internal::checkpoints::granitemoehybrid {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_granite_moe(fields, config);
  read_mamba2(fields, config);
  if (config.experts == 0) {
    for (const char* key : {"expert_count", "expert_used_count"}) config.keys.add(key, 0u);
  }
  const std::vector<std::string> types = fields.texts("layer_types", config.layers);
  read_attention_layers(config, [&](std::size_t i) { return !types.empty() && is_attention(types[i]); });
  const bool has_rope = fields.is("position_embedding_type", "rope");
  config.keys.add("rope.scaling.finetuned", has_rope);  // so files say it
  if (!has_rope) config.context = kNoContextLimit;
  const std::vector<std::uint32_t>& heads = config.kv_heads_of_layers;
  if (std::find(heads.begin(), heads.end(), 0u) == heads.end())  // then it is a Granite 3
    config.architecture = config.experts > 0 ? "granitemoe" : "granite";
}

void layer(LayerCopy& in) {
  in.pre_norms();
  in.has_attention() ? in.attention() : copy_mamba2(in, "mamba.");
  if (in.config().experts > 0) copy_granite_experts(in);
  copy_granite_ffn(in, in.config().experts > 0 ? "_shexp" : "");
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "granitemoehybrid",
                                        .class_name = "GraniteMoeHybridForCausalLM",
                                        .architecture = "granitehybrid",
                                        .keys = keys,
                                        .layer = layer,
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::granitemoehybrid
