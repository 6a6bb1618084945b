#include "engine/config.h"

namespace partita::internal {

void limit_attention(Config& config, std::uint32_t window, std::uint32_t sinks) {
  for (LayerKind& kind : config.layer_kinds) {
    if (kind.window != 0 && kind.window <= window) continue;
    kind.window = window;
    kind.sinks = sinks;
  }
}

}  // namespace partita::internal
