// Output heads and embeddings of checkpoints, in the names of those who train them, to the tensors of a model
// file (docs/convert.md has the table). Internal to api/.
#pragma once

#include "api/convert/convert_config.h"
#include "api/convert/convert_tensors.h"
#include "weights/gguf/writer.h"

namespace partita {

/// token_embd..., with its keys.
void convert_embedding(const CheckpointConfig& config, TensorCopy& tensors, GgufWriter& file);

/// output..., partita.head... and partita.vocabulary.order.
void convert_head(const CheckpointConfig& config, TensorCopy& tensors, GgufWriter& file);

}  // namespace partita
