// What GPT-2 and StarCoder share.
#pragma once

#include "api/convert/checkpoint_family.h"

namespace partita::internal {

inline constexpr CheckpointNames kGpt2Names = {
    .layers = "transformer.h.", .embedding = "transformer.wte", .norm = "transformer.ln_f"};

/// What model files have no keys for of scores.
void check_gpt2_scores(JsonFields& fields, CheckpointConfig& config);

/// The learned positions.
void copy_gpt2_positions(LayerCopy& in);

/// The norms before attention and FFN.
void copy_gpt2_norms(LayerCopy& in);

}  // namespace partita::internal
