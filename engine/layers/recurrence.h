// How a layer with a fixed state runs over the tokens of a step.
#pragma once

#include <cstddef>
#include <cstring>
#include <utility>

#include "engine/cache/kv_cache.h"

namespace partita::internal {

/// Runs advance(i, state) for the tokens of `step`, in order: it replaces `state`, bytes [offset, offset +
/// bytes) of the state after i of them, by that after i + 1. Keeps the snapshot that the sequence wants.
template <class Advance>
void run_recurrence(const StateStep& step, std::size_t offset, std::size_t bytes, std::size_t tokens,
                    Advance&& advance) {
  std::byte* const state = step.after + offset;
  if (step.before != nullptr) {
    std::memcpy(state, step.before + offset, bytes);
  } else {
    std::memset(state, 0, bytes);
  }
  for (std::size_t i = 0; i < tokens; ++i) {
    advance(i, state);
    if (step.snapshot != nullptr && i + 1 == step.snapshot_tokens)
      std::memcpy(step.snapshot + offset, state, bytes);
  }
}

/// The same for the whole state of layer `layer` and the next `tokens` tokens of a sequence. Precondition:
/// sequence.reserve(tokens). bytes: FixedShape::bytes of the layer.
template <class Advance>
void run_recurrence(KvSequence& sequence, std::size_t layer, std::size_t bytes, std::size_t tokens,
                    Advance&& advance) {
  run_recurrence(sequence.state_step(layer, tokens), 0, bytes, tokens, std::forward<Advance>(advance));
}

}  // namespace partita::internal
