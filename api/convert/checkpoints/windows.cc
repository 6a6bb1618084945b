#include "api/convert/checkpoints/windows.h"

#include <algorithm>
#include <string>

#include "engine/limits.h"
#include "weights/sentence.h"

namespace partita::internal {

std::vector<bool> local_layers(JsonFields& fields, const CheckpointConfig& c, const UsualWindows& usual) {
  std::vector<bool> local = read_local_types(fields, c);
  if (!local.empty()) return local;
  const std::uint32_t first =
      usual.first_local == 0 ? 0 : fields.count("max_window_layers", 0, kMaxLayers, usual.first_local);
  const std::uint32_t period = usual.period_key == nullptr
                                   ? usual.period
                                   : fields.count(usual.period_key, 1, kMaxLayers, usual.period);
  for (std::uint32_t i = 0; i < c.layers; ++i)
    local.push_back(i >= first && (period == kAllLocal || i % period != period - 1));
  return local;
}

std::vector<bool> read_local_types(JsonFields& fields, const CheckpointConfig& c) {
  std::vector<bool> local;
  for (const std::string& type : fields.texts("layer_types", c.layers)) {
    local.push_back(type == "sliding_attention");
    if (local.back() || type == "full_attention") continue;
    fields.fail(ErrorCode::kUnsupported, "layer_types",
                sentence("only 'sliding_attention' and 'full_attention' can be converted, not ",
                         internal::quoted(type)));
  }
  return local;
}

void read_windows(JsonFields& fields, CheckpointConfig& c, const UsualWindows& usual) {
  const bool used = !usual.switched || fields.flag("use_sliding_window", false);
  const bool none = !used || fields.is_null("sliding_window");
  const std::uint32_t window = none ? 0 : fields.count("sliding_window", 0, kMaxContext, usual.window);
  if (window > 0) {
    c.keys.add("attention.sliding_window", window);
    c.keys.add("attention.sliding_window_pattern", local_layers(fields, c, usual));
    return;
  }
  const std::vector<bool> local = read_local_types(fields, c);
  if (std::find(local.begin(), local.end(), true) != local.end())
    fields.fail(ErrorCode::kUnsupported, used ? "sliding_window" : "use_sliding_window",
                "layer_types has local layers, which need a window");
  if (usual.period != kAllLocal) c.keys.add("attention.sliding_window", window);
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
