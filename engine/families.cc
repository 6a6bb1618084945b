// The families of models, one row of data each. To add one, add a row, and if its layers differ from each
// other in a new way, a function that says how.
#include "engine/families.h"

#include <cmath>
#include <vector>

namespace partita {
namespace {

constexpr std::uint32_t kMaxWindow = 1u << 24;
constexpr std::uint32_t kMaxPeriod = 1024;
constexpr double kMaxRopeBase = 1e12;

// --- pieces ---------------------------------------------------------------------------------------

float unscaled(const Config&) { return 1.0f; }
float sqrt_width(const Config& c) {
  return static_cast<float>(std::sqrt(static_cast<double>(c.hidden_size)));
}

float by_head_dim(const Config& c) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.head_dim)));
}

/// The one Gemma 3 whose queries are scaled by its width (query_pre_attn_scalar = hidden / heads = 168) is
/// the 27 B; its file has no key for it, so that it is known by its 62 layers.
float gemma3_attention_scale(const Config& c) {
  constexpr std::uint32_t kLayersOf27B = 62;
  if (c.layers != kLayersOf27B) return by_head_dim(c);
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.hidden_size) / c.heads));
}

/// All layers alike; Mistral's first models give a window to all of them.
void uniform_layers(FamilyKeys& keys, Config& config) {
  const std::uint32_t window = keys.count("attention.sliding_window", 0, kMaxWindow, 0);
  config.rope = {read_global_rope(keys, config.head_dim)};
  config.layer_kinds.assign(config.layers, LayerKind{window, 0});
}

/// Five local layers, then a global one. Local layers have a window and angles of a lower, never scaled base.
void local_and_global_layers(FamilyKeys& keys, Config& config) {
  constexpr std::string_view kPattern = "attention.sliding_window_pattern";  // a period, or one flag a layer
  const std::uint32_t window = keys.count("attention.sliding_window", 0, kMaxWindow, 0);
  const double local_base = keys.number("rope.freq_base_swa", 1, kMaxRopeBase, 10000);
  config.rope = {read_global_rope(keys, config.head_dim), make_rope(local_base, config.head_dim)};
  config.layer_kinds.assign(config.layers, LayerKind{0, 0});
  if (window == 0) return;

  const std::vector<bool> local = keys.flags(kPattern, config.layers);
  const std::uint32_t period = local.empty() ? keys.count(kPattern, 1, kMaxPeriod, 6) : 1;
  for (std::uint32_t i = 0; i < config.layers; ++i) {
    if (local.empty() ? i % period != period - 1 : local[i]) config.layer_kinds[i] = {window, 1};
  }
}

// --- the table ------------------------------------------------------------------------------------

constexpr Family kFamilies[] = {
    {.name = "llama",
     .gate = GateFunction::kSilu,
     .interleaved_qk = true,
     .qk_norm = false,
     .post_norms = false,
     .embedding_scale = unscaled,
     .attention_scale = by_head_dim,
     .positions = uniform_layers},
    {.name = "gemma3",
     .gate = GateFunction::kGeluTanh,
     .interleaved_qk = false,
     .qk_norm = true,
     .post_norms = true,
     .embedding_scale = sqrt_width,
     .attention_scale = gemma3_attention_scale,
     .positions = local_and_global_layers},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

}  // namespace partita
