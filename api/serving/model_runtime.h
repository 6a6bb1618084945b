// A model, its scheduler and one KV cache: runs a single sequence (a session, an ensemble member, a draft
// model).
#pragma once

#include <memory>
#include <utility>

#include "api/serving/scheduler.h"
#include "engine/cache/kv_cache.h"

namespace partita::internal {

/// With an attention window, a conversation keeps the KV cache pages for rolling back this many tokens. The
/// next prompt may tokenize the last answer differently, so some of it is read again.
inline constexpr std::size_t kRollbackTokens = 512;

/// Releases the pages that no later token attends to, even after rolling back kRollbackTokens.
inline void release_unseen(const LoadedModel& model, KvSequence& cache) {
  if (model.options.attention_window > 0) cache.release_unseen(kRollbackTokens);
}

struct ModelRuntime {
  /// Precondition: the model has its weights. Throws std::bad_alloc.
  explicit ModelRuntime(std::shared_ptr<const LoadedModel> opened)
      : model(std::move(opened)),
        scheduler(model, {}),
        pool(model->transformer->states(), model->transformer->kv_type(), model->options.cache_bytes),
        cache(pool) {}

  std::shared_ptr<const LoadedModel> model;
  Scheduler scheduler;
  KvPool pool;
  KvSequence cache;
};

}  // namespace partita::internal
