// Granite 3, dense: fixed multipliers.
#include "api/convert/checkpoints/granite.h"
#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

void read_multipliers(JsonFields& fields, CheckpointConfig& config) {
  constexpr double kLeast = 1e-6, kMost = 1e6;
  constexpr std::pair<const char*, std::string_view> kNames[] = {{"attention_multiplier", "attention.scale"},
                                                                 {"embedding_multiplier", "embedding_scale"},
                                                                 {"residual_multiplier", "residual_scale"},
                                                                 {"logits_scaling", "logit_scale"}};
  for (const auto& [from, to] : kNames)
    config.keys.add(to, static_cast<float>(fields.number(from, kLeast, kMost, 1)));
}

}  // namespace partita::internal

namespace partita::internal::checkpoints::granite {
namespace {

void keys(JsonFields& fields, CheckpointConfig& config) { read_multipliers(fields, config); }

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "granite",
                                        .class_name = "GraniteForCausalLM",
                                        .architecture = "granite",
                                        .keys = keys,
                                        .layer = layer,
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::granite
