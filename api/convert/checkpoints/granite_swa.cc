// Granite with local layers, dense.
#include <algorithm>
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "api/convert/checkpoints/granite.h"
#include "api/convert/checkpoints/windows.h"
#include "api/convert/layer_copy.h"
#include "engine/limits.h"

namespace partita::internal {
namespace checkpoints::granite_swa {
namespace {

/// Whether each layer has RoPE: layer_rope_theta, 0 in those without, or no_rope_layers, 1 in those with it.
std::vector<bool> rotated_layers(JsonFields& fields, const CheckpointConfig& c) {
  std::vector<bool> rotated(c.layers, true);
  if (fields.has("layer_rope_theta")) {
    const auto bases = fields.numbers("layer_rope_theta", c.layers, 0, kMaxRopeBase);
    for (std::size_t i = 0; i < bases.size(); ++i) {
      rotated[i] = bases[i] != 0;
      if (rotated[i] && bases[i] != static_cast<float>(c.rope_base))
        fields.fail(ErrorCode::kUnsupported, "layer_rope_theta", "only 0 and one base can be converted");
    }
  } else if (fields.has("no_rope_layers")) {
    const auto flags = fields.integers("no_rope_layers", c.layers, c.layers, 0, 1);
    for (std::size_t i = 0; i < flags.size(); ++i) rotated[i] = flags[i] != 0;
  }
  return rotated;
}

}  // namespace
}  // namespace checkpoints::granite_swa

void read_granite_swa(JsonFields& fields, CheckpointConfig& c) {
  constexpr std::uint32_t kPeriod = 4;  // global layers are the first ones
  read_multipliers(fields, c);
  std::vector<bool> local = read_local_types(fields, c);
  for (std::size_t i = local.size(); i < c.layers; ++i) local.push_back(i % kPeriod != 0);
  c.keys.add("attention.sliding_window", fields.count("sliding_window", 1, kMaxContext, 128));
  c.keys.add("attention.sliding_window_pattern", local);
  const std::vector<bool> rotated = checkpoints::granite_swa::rotated_layers(fields, c);
  if (std::find(rotated.begin(), rotated.end(), false) != rotated.end())
    c.keys.add("attention.rope_pattern", rotated);
}

}  // namespace partita::internal

namespace partita::internal::checkpoints::granite_swa {
namespace {

void layer(LayerCopy& in) {
  in.pre_norms();
  in.attention();
  in.vector("self_attn.sinks", "attn_sinks.weight", in.config().heads);
  in.ffn();
}

}  // namespace

extern const CheckpointFamily family = {.model_type = "granite_swa",
                                        .class_name = "GraniteSWAForCausalLM",
                                        .architecture = "granite_swa",
                                        .keys = read_granite_swa,
                                        .layer = layer,
                                        .adjacent_pairs = true};

}  // namespace partita::internal::checkpoints::granite_swa
