// The implementation of Session: one conversation, its KV caches, and a cache for scoring.
#pragma once

#include "api/serving/model_drafter.h"
#include "api/serving/model_runtime.h"
#include "api/serving/token_source.h"

namespace partita {
using namespace internal;

struct Session::Impl final : ModelRuntime, TokenSource {
  /// Throws std::bad_alloc.
  explicit Impl(std::shared_ptr<const LoadedModel> opened)
      : ModelRuntime(std::move(opened)), negative_cache(pool), probe(pool) {}

  Result<void> next(Sequence& sequence, Timing& timing, std::deque<Token>& tokens) override;

  /// Makes `sequence` the current request. The caches keep what they have of its prompts; the rest is
  /// pending.
  void begin(Sequence sequence);

  /// Replaces the cache by one that holds `ids`, of which the first prompt_size are a prompt.
  void replace_cache(KvSequence other, std::vector<TokenId> ids, std::size_t prompt_size);

  /// Makes `probe`, which may get `most` tokens, hold the longest prefix of `ids` that it or the
  /// conversation's cache has, of these adapters.
  void begin_probe(std::span<const TokenId> ids, std::size_t most,
                   std::shared_ptr<const AdapterSet> adapters);
  /// Empties `probe`, so that its memory serves the conversation.
  void end_probe() {
    probe.truncate(0);
    probe_ids.clear();
  }

  std::shared_ptr<DraftRuntime> draft;  // null: prompt lookup
  KvSequence negative_cache;            // of the negative prompt, with guidance
  std::vector<Outcome> outcomes;        // of the current step
  KvSequence probe;                     // what logits() read last; shares pages with the conversation
  std::vector<TokenId> probe_ids;       // [probe.length()]
};

}  // namespace partita
