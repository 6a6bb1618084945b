// How a layer with a fixed state runs over the tokens of a step.
#pragma once

#include <cstddef>
#include <cstring>

#include "engine/cache/kv_cache.h"

namespace partita::internal {

/// Runs advance(i, state) for the next `tokens` tokens of a sequence, in order: it replaces `state`, the
/// state of layer `layer` after i of them, by that after i + 1. Keeps the snapshot that the sequence wants.
/// Precondition: sequence.reserve(tokens). bytes: FixedShape::bytes of the layer.
template <class Advance>
void run_recurrence(KvSequence& sequence, std::size_t layer, std::size_t bytes, std::size_t tokens,
                    Advance&& advance) {
  const StateStep step = sequence.state_step(layer, tokens);
  if (step.before != nullptr) {
    std::memcpy(step.after, step.before, bytes);
  } else {
    std::memset(step.after, 0, bytes);
  }
  for (std::size_t i = 0; i < tokens; ++i) {
    advance(i, step.after);
    if (step.snapshot != nullptr && i + 1 == step.snapshot_tokens)
      std::memcpy(step.snapshot, step.after, bytes);
  }
}

}  // namespace partita::internal
