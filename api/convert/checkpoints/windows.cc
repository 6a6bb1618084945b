#include "api/convert/checkpoints/windows.h"

#include <algorithm>
#include <string>
#include <vector>

#include "engine/limits.h"

namespace partita::internal {

std::vector<bool> local_layers(JsonFields& fields, const CheckpointConfig& c, std::uint32_t period) {
  std::vector<bool> local(c.layers);
  const std::vector<std::string> types = fields.texts("layer_types", c.layers);
  // Qwen 2: the first layers are global.
  const std::uint32_t first = fields.count("max_window_layers", 0, kMaxLayers, 0);
  for (std::uint32_t i = 0; i < c.layers; ++i) {
    if (!types.empty()) {
      local[i] = types[i] == "sliding_attention";
    } else {
      local[i] = period == 1 ? i >= first : i % period != period - 1;
    }
  }
  return local;
}

void read_windows(JsonFields& fields, CheckpointConfig& c, std::uint32_t period) {
  const std::uint32_t window = fields.count("sliding_window", 0, kMaxContext, 0);
  const bool used = fields.flag("use_sliding_window", !fields.has("max_window_layers"));
  if (window == 0 || !used) return;
  const std::vector<bool> local = local_layers(fields, c, period);
  const auto count = std::count(local.begin(), local.end(), true);
  if (count == 0) return;
  c.keys.add("attention.sliding_window", window);
  if (static_cast<std::size_t>(count) < local.size()) c.keys.add("attention.sliding_window_pattern", local);
}

void check_rope_layers(JsonFields& fields, const CheckpointConfig& config) {
  constexpr std::uint32_t kPeriod = 4;
  std::vector<std::int32_t> rotary;
  const char* key = fields.length("no_rope_layers") > 0 ? "no_rope_layers" : "no_rope_layer_interval";
  if (fields.length(key) > 0) rotary = fields.integers(key, config.layers, config.layers, 0, 1);
  bool usual = !rotary.empty() || fields.count(key, 1, kMaxLayers, kPeriod) == kPeriod;
  for (std::size_t i = 0; i < rotary.size(); ++i)
    usual = usual && (rotary[i] == 0) == (i % kPeriod == kPeriod - 1);
  if (!usual) fields.fail(ErrorCode::kUnsupported, key, "only every fourth layer can be without RoPE");
}

}  // namespace partita::internal
