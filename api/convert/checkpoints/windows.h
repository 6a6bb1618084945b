// Sliding windows of layers.
#pragma once

#include <cstdint>
#include <vector>

#include "api/convert/checkpoint_family.h"

namespace partita::internal {

/// A period of UsualWindows: no layer is global.
inline constexpr std::uint32_t kAllLocal = 0;

/// What transformers takes where config.json does not say it.
struct UsualWindows {
  std::uint32_t window = 0;          // without sliding_window; 0: none
  std::uint32_t period = kAllLocal;  // without layer_types the last of every `period` layers is global
  const char* period_key = nullptr;  // of config.json, for another period
  std::uint32_t first_local = 0;     // without max_window_layers, before which layers are global; 0: no key
  bool switched = false;             // there is a window only where use_sliding_window is true
};

/// Whether each layer is local, from layer_types; empty without that key.
std::vector<bool> read_local_types(JsonFields& fields, const CheckpointConfig& config);

/// The same, and what is usual without it.
std::vector<bool> local_layers(JsonFields& fields, const CheckpointConfig& config, const UsualWindows& usual);

/// "attention.sliding_window", and "attention.sliding_window_pattern" if there is one. Where readers of model
/// files know no other layers than local ones, a window of 0 is left out.
void read_windows(JsonFields& fields, CheckpointConfig& config, const UsualWindows& usual = {});

/// no_rope_layers or no_rope_layer_interval: an error unless the last of every four layers has no RoPE, which
/// model files have no key for.
void check_rope_layers(JsonFields& fields, const CheckpointConfig& config);

}  // namespace partita::internal
