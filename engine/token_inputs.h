// What the embedding gives each layer of a token (per-layer embeddings; Gemma 3n, Google 2025).
#pragma once

#include <cstddef>

#include "engine/config.h"
#include "engine/layers/layer.h"
#include "engine/tensor_loader.h"
#include "partita/result.hpp"

namespace partita::internal {

/// Of each token: (norm(projection x) + table_scale * table[token]) / sqrt(2), x: its embedding.
struct TokenInputs {
  std::size_t width = 0;  // of a layer's part; 0: the model has none
  PackedMatrix table;     // [vocab][layers * width]
  float table_scale = 1;
  Linear projection;  // [layers * width][hidden]
  Norm norm;          // [width], of each layer's part

  std::size_t bytes_per_token() const;
};

/// Reads "per_layer_token_embd", "per_layer_model_proj" and "per_layer_proj_norm". Errors: those of
/// TensorLoader.
Result<void> load_token_inputs(TensorLoader& tensors, const Config& config, TokenInputs& out);

}  // namespace partita::internal
