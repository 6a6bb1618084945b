#include "engine/cache/state_shape.h"

namespace partita::internal {

std::size_t bytes_per_token(std::span<const StateShape> layers, KvType type) {
  std::size_t page_bytes = 0;
  for (const StateShape& shape : layers) {
    if (const auto* kv = std::get_if<KvShape>(&shape)) page_bytes += kv->heads * kv->head_bytes(type);
  }
  return page_bytes / kPageTokens;
}

}  // namespace partita::internal
