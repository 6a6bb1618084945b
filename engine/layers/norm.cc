#include "engine/layers/norm.h"

#include "weights/try.h"

namespace partita::internal {

Result<void> read_norm(TensorLoader& tensors, const std::string& name, std::size_t size, Norm& norm) {
  const Gguf& file = tensors.file();
  norm.name = name;
  if (norm.kind == NormKind::kLayer && !file.has_tensor(name + ".weight")) {
    norm.weight.assign(size, 1.0F);
  } else {
    TRY(tensors.vector(name + ".weight", size, norm.weight));
  }
  if (norm.kind == NormKind::kLayer && file.has_tensor(name + ".bias"))
    TRY(tensors.vector(name + ".bias", size, norm.bias));
  return {};
}

}  // namespace partita::internal
