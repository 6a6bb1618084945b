// Converts LM heads and embeddings from the tensor names of PyTorch, fairseq and Transformer-XL to those of a
// model file (docs/convert.md has the table). Internal to api/.
#pragma once

#include "api/convert/checkpoint_config.h"
#include "api/convert/convert_tensors.h"
#include "weights/gguf/writer.h"

namespace partita::internal {

/// Writes token_embd... and its metadata.
void convert_embedding(const CheckpointConfig& config, TensorCopy& tensors, GgufWriter& file);

/// Writes output..., partita.head... and partita.vocabulary.order.
void convert_head(const CheckpointConfig& config, TensorCopy& tensors, GgufWriter& file);

}  // namespace partita::internal
