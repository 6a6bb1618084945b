// What Gemma's families share.
#pragma once

#include <cstdint>

#include "api/convert/checkpoint_family.h"
#include "api/convert/layer_copy.h"

namespace partita::internal {

/// query_pre_attn_scalar: attention scores are divided by its root.
void read_query_scalar(JsonFields& fields, CheckpointConfig& config);

/// Norms before and after attention and FFN.
void copy_gemma_norms(LayerCopy& in);

/// Attention and FFN with norms before and after.
void copy_gemma2(LayerCopy& in);

/// Gemma 3n and 4: the soft cap of logits, embeddings per layer, with their tensors in each layer and outside
/// layers (none of width 0), and how many layers share the keys and values of others, which is returned.
std::uint32_t read_token_inputs(JsonFields& fields, CheckpointConfig& config);
void copy_token_input(LayerCopy& in);
void copy_token_inputs(LayerCopy& whole);

/// Attention with norms of Q and K. Layers that share keys and values have none, and values may be keys.
void copy_shared_attention(LayerCopy& in);

}  // namespace partita::internal
