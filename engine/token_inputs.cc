#include "engine/token_inputs.h"

#include <cmath>

#include "weights/try.h"

namespace partita::internal {

std::size_t TokenInputs::bytes_per_token() const {
  return width == 0 ? 0 : table.panel_bytes() / kPanelRows + projection.bytes() + norm.bytes();
}

Result<void> load_token_inputs(TensorLoader& tensors, const Config& config, TokenInputs& out) {
  out.width = config.token_input_width;
  if (out.width == 0) return {};
  const std::size_t all = config.layers * out.width, hidden = config.hidden_size;
  TRY(tensors.matrix("per_layer_token_embd.weight", config.vocab_size, all, out.table));
  TRY(tensors.linear("per_layer_model_proj", all, hidden, out.projection));
  TRY(tensors.vector("per_layer_proj_norm.weight", out.width, out.norm.weight));
  // The projection is divided by sqrt(hidden) before its norm, which only the epsilon notices.
  out.norm.eps = config.norm_eps * static_cast<float>(hidden);
  out.table_scale = std::sqrt(static_cast<float>(out.width));
  return {};
}

}  // namespace partita::internal
