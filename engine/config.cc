#include "engine/config.h"

#include <algorithm>

namespace partita::internal {

std::uint32_t Config::rope_limit(std::size_t tokens) const {
  if (short_context == 0 || tokens <= short_context) return 0;
  const bool by_length =
      std::any_of(rope.begin(), rope.end(), [](const Rope& each) { return each.dynamic_factor > 0; });
  return static_cast<std::uint32_t>(by_length ? std::min<std::size_t>(tokens, context_length)
                                              : context_length);
}

void limit_attention(Config& config, std::uint32_t window, std::uint32_t sinks) {
  for (LayerKind& kind : config.layer_kinds) {
    if (kind.window != 0 && kind.window <= window) continue;
    kind.window = window;
    kind.sinks = sinks;
  }
}

}  // namespace partita::internal
