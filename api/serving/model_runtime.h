// One model and one cache: what reads a single sequence.
#pragma once

#include <memory>
#include <utility>

#include "api/serving/scheduler.h"
#include "engine/cache/kv_cache.h"

namespace partita {

/// With an attention window, what remembers a conversation keeps the pages for going back so far, and no
/// more: a little beyond the window for what another tokenization of the last answer changes.
inline constexpr std::size_t kWaysBack = 512;

/// Of a cache that may be gone back in: gives up what an attention window allows.
inline void release_unseen(const Model::Impl& model, KvSequence& cache) {
  if (model.options.attention_window > 0) cache.release_unseen(kWaysBack);
}

struct Lane {
  /// Precondition: the model has its weights. Throws std::bad_alloc.
  explicit Lane(std::shared_ptr<const Model::Impl> opened)
      : model(std::move(opened)),
        scheduler(model, {}),
        pool(model->transformer->config(), model->transformer->kv_type(), model->options.cache_bytes),
        cache(pool) {}

  std::shared_ptr<const Model::Impl> model;
  Scheduler scheduler;
  KvPool pool;
  KvSequence cache;
};

}  // namespace partita
