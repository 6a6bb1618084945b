// What MosaicML's families share: MPT and DBRX.
#pragma once

#include "api/convert/checkpoint_family.h"

namespace partita::internal {

inline constexpr CheckpointNames kBlockNames = {
    .layers = "transformer.blocks.", .embedding = "transformer.wte", .norm = "transformer.norm_f"};

/// The limit of queries, keys and values in `attention`, which is attn_config, if there is one.
inline void read_limit(JsonFields& attention, CheckpointConfig& config) {
  constexpr double kLeast = 1e-6, kMost = 1e6;
  if (!attention.has("clip_qkv")) return;
  config.keys.add("attention.clamp_kqv", static_cast<float>(attention.number("clip_qkv", kLeast, kMost, 1)));
}

}  // namespace partita::internal
