// How a layer with a fixed state runs over the tokens of a step.
#pragma once

#include <cstddef>
#include <cstring>
#include <utility>

#include "engine/cache/kv_cache.h"

namespace partita::internal {

/// Runs a part of a state, `bytes` from `offset` on, over the tokens of a step: advance(first, last, part)
/// replaces `part` after `first` of them by that after `last`.
template <class Advance>
void run_part(const StateStep& step, std::size_t offset, std::size_t bytes, std::size_t tokens,
              Advance&& advance) {
  std::byte* part = step.after + offset;
  if (step.before != nullptr) {
    std::memcpy(part, step.before + offset, bytes);
  } else {
    std::memset(part, 0, bytes);
  }
  std::size_t done = 0;
  if (step.snapshot != nullptr) {
    done = step.snapshot_tokens;
    advance(std::size_t{0}, done, part);
    std::memcpy(step.snapshot + offset, part, bytes);
  }
  if (done < tokens) advance(done, tokens, part);
}

/// Runs advance(i, state) for the tokens of `step`, in order: it replaces `state`, bytes [offset, offset +
/// bytes) of the state after i of them, by that after i + 1. Keeps the snapshot that the sequence wants.
template <class Advance>
void run_recurrence(const StateStep& step, std::size_t offset, std::size_t bytes, std::size_t tokens,
                    Advance&& advance) {
  run_part(step, offset, bytes, tokens, [&](std::size_t first, std::size_t last, std::byte* state) {
    for (std::size_t i = first; i < last; ++i) advance(i, state);
  });
}

/// The same for the whole state of layer `layer` and the next `tokens` tokens of a sequence. Precondition:
/// sequence.reserve(tokens). bytes: FixedShape::bytes of the layer.
template <class Advance>
void run_recurrence(KvSequence& sequence, std::size_t layer, std::size_t bytes, std::size_t tokens,
                    Advance&& advance) {
  run_recurrence(sequence.state_step(layer, tokens), 0, bytes, tokens, std::forward<Advance>(advance));
}

}  // namespace partita::internal
