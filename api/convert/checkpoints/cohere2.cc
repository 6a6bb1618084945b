// Command R 7B and A: local layers, no RoPE in global ones.
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/cohere.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal {
namespace {

/// Whether each layer is local; without types the last of every few behind the dense ones is not.
std::vector<bool> local_layers(JsonFields& fields, const CheckpointConfig& c) {
  std::vector<bool> local = read_local_types(fields, c);
  if (!local.empty()) return local;
  const std::uint32_t dense = fields.count("first_k_dense_replace", 0, c.layers, 0);
  const std::uint32_t period = fields.count("sliding_window_pattern", 1, kMaxLayers, 4);
  for (std::uint32_t i = 0; i < c.layers; ++i)
    local.push_back(i >= dense && (i - dense) % period != period - 1);
  return local;
}

}  // namespace

void read_cohere_windows(JsonFields& fields, CheckpointConfig& c) {
  c.keys.add("attention.sliding_window", fields.count("sliding_window", 1, kMaxContext));
  c.keys.add("attention.sliding_window_pattern", local_layers(fields, c));
}

}  // namespace partita::internal

namespace partita::internal::checkpoints::cohere2 {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) {
  read_logit_scale(fields, config);
  read_cohere_windows(fields, config);
}

void layer(LayerCopy& in) {
  in.norm("input_layernorm", "attn_norm", in.config().hidden);
  in.attention();
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "cohere2",
                                        .class_name = "Cohere2ForCausalLM",
                                        .architecture = "cohere2",
                                        .keys = keys,
                                        .layer = layer,
                                        .layer_norm = true,
                                        .tied = true};

}  // namespace partita::internal::checkpoints::cohere2
