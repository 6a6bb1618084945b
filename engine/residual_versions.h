// AltUp (Baykal et al. 2023) outside layers: the residual stream has several versions of every row.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/config.h"
#include "engine/layers/layer.h"
#include "engine/tensor_loader.h"
#include "partita/result.hpp"

namespace partita::internal {

/// The first version is the embedding x, the others are spread[i] x; the last hidden state is the mean of the
/// first and merge[i] of the others. Products take the magnitude of the first.
struct ResidualVersions {
  std::size_t count = 0;              // 0: the model has no versions
  std::size_t active = 0;             // the one that layers compute with
  std::vector<Linear> spread, merge;  // [count - 1]: [hidden][hidden]

  std::size_t bytes_per_token() const;
};

/// Reads "altup_proj" and "altup_unembd_proj". Errors: those of TensorLoader.
Result<void> load_versions(TensorLoader& tensors, const Config& config, ResidualVersions& out);

}  // namespace partita::internal
