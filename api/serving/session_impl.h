// What a Session has behind it.
#pragma once

#include "api/serving/model_drafter.h"
#include "api/serving/model_runtime.h"
#include "api/serving/token_source.h"

namespace partita {

struct Session::Impl final : Lane, TokenSource {
  /// Throws std::bad_alloc.
  explicit Impl(std::shared_ptr<const Model::Impl> opened)
      : Lane(std::move(opened)), negative_cache(pool), probe(pool) {}

  Result<void> next(Sequence& sequence, Timing& timing, std::deque<Token>& tokens) override;

  /// Takes a new request in: its prompt as far as the caches do not hold it yet is what is pending.
  void begin(Sequence sequence);

  /// Another cache in place of its own, that holds these ids, the first so many of them a prompt.
  void take_over(KvSequence other, std::vector<TokenId> ids, std::size_t prompt_size);

  /// Brings `probe` to the longest beginning of `ids` that it or the conversation holds.
  void begin_probe(std::span<const TokenId> ids);
  /// The conversation goes on: all memory is its own.
  void end_probe() {
    probe.truncate(0);
    probe_ids.clear();
  }

  std::shared_ptr<DraftLane> draft;  // null: guesses come from the text
  KvSequence negative_cache;         // of the negative prompt, where there is guidance
  std::vector<Outcome> outcomes;     // of the step at hand
  KvSequence probe;                  // what logits() read last, pages of the conversation among it
  std::vector<TokenId> probe_ids;    // [probe.length()]
};

}  // namespace partita
