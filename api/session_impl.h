// What a Session has behind it.
#pragma once

#include "api/lane.h"
#include "api/model_drafter.h"
#include "api/token_source.h"

namespace partita {

struct Session::Impl final : Lane, TokenSource {
  /// Throws std::bad_alloc.
  explicit Impl(std::shared_ptr<const Model::Impl> opened) : Lane(std::move(opened)), negative_cache(pool) {}

  Result<void> next(Sequence& sequence, Timing& timing, std::deque<Token>& tokens) override;

  /// Takes a new request in: its prompt as far as the caches do not hold it yet is what is pending.
  void begin(Sequence sequence);

  std::shared_ptr<DraftLane> draft;  // null: guesses come from the text
  KvSequence negative_cache;         // of the negative prompt, where there is guidance
};

}  // namespace partita
