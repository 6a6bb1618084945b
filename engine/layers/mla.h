// Multi-head latent attention (DeepSeek-AI 2024): the cache holds one latent a token, and after it a rotated
// part; keys and values of all heads are products of the latent. Computed in the absorbed form: queries are
// taken into the space of latents (k_b), all heads attend to the latents themselves, and each head takes what
// it gathered out of that space (v_b).
#pragma once

#include "engine/layers/layer.h"
#include "engine/workspace.h"

namespace partita::internal {

/// As every mix() (self_attention.h).
void mix(const Worker& worker, Workspace& ws, const Norm& pre, const Mla& a, bool outputs_only);

}  // namespace partita::internal
