// GLM 5: DeepSeek V3 with an indexer that chooses keys.
#include <string>
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/latents.h"
#include "api/convert/checkpoints/routing.h"
#include "api/convert/layer_copy.h"
#include "engine/kernels/kernels.h"
#include "engine/limits.h"

namespace partita::internal::checkpoints::glm_moe_dsa {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_latents(fields, config);
  read_routing(fields, config, "sigmoid");
  config.index_heads = fields.count("index_n_heads", 1, kMaxHeads);
  config.index_dim = fields.count("index_head_dim", 1, kMaxHeadDim);
  config.keys.add("attention.indexer.head_count", config.index_heads);
  config.keys.add("attention.indexer.key_length", config.index_dim);
  config.keys.add("attention.indexer.top_k", fields.count("index_topk", 1, kMaxContext));
  std::vector<bool> own;  // layers without an indexer of their own take the keys of the layer before
  for (const std::string& type : fields.texts("indexer_types", config.layers)) own.push_back(type == "full");
  if (!own.empty()) config.keys.add("attention.indexer.types", own);
}

void layer(LayerCopy& in) {
  const CheckpointConfig& c = in.config();
  copy_latent_layer(in);
  if (!in.has("self_attn.indexer.wk")) return;
  in.linear("self_attn.indexer.wk", "indexer.attn_k", c.index_dim, c.hidden);
  in.linear("self_attn.indexer.wq_b", "indexer.attn_q_b", c.index_heads * c.index_dim, c.latents.query_rank);
  in.norm("self_attn.indexer.k_norm", "indexer.k_norm", c.index_dim);
  in.linear("self_attn.indexer.weights_proj", "indexer.proj", c.index_heads, c.hidden);
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "glm_moe_dsa",
                                        .class_name = "GlmMoeDsaForCausalLM",
                                        .architecture = "glm-dsa",
                                        .keys = keys,
                                        .layer = layer,
                                        .yarn_scales = true};

}  // namespace partita::internal::checkpoints::glm_moe_dsa
