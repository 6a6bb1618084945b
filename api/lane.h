// One model and one cache: what reads a single sequence.
#pragma once

#include <memory>
#include <utility>

#include "api/scheduler.h"
#include "engine/kv_cache.h"

namespace partita {

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
