// What the families with multi-head latent attention share (DeepSeek's names).
#pragma once

#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

/// CheckpointConfig::latents, and the ranks. Of models that store keys and values of heads, whose sizes
/// head_dim and value_dim are afterwards.
void read_latent_sizes(JsonFields& fields, CheckpointConfig& config);

/// The same of models that store latents: one KV head, whose sizes are those of a latent; and the scale that
/// YaRN gives to scores.
void read_latents(JsonFields& fields, CheckpointConfig& config);

/// Those, and the routing of mixtures whose router has a sigmoid.
void read_latents_and_sigmoid_routing(JsonFields& fields, CheckpointConfig& config);

/// q_proj, or q_a_proj and q_b_proj; kv_a_proj_with_mqa; o_proj; the norms of latents.
void copy_latent_projections(LayerCopy& in);

/// These, and kv_b_proj as two stacks: what makes latents of queries, and values of latents.
void copy_latent_attention(LayerCopy& in);

/// A layer with such attention, and a dense FFN or a mixture of experts.
void copy_latent_layer(LayerCopy& in);

}  // namespace partita::internal
