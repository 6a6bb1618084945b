// What a Session and its Stream share.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "api/scheduler.h"
#include "api/sequence.h"
#include "engine/kv_cache.h"
#include "partita/partita.hpp"

namespace partita {

struct Session::Impl {
  explicit Impl(std::shared_ptr<const Model::Impl> opened)
      : model(std::move(opened)),
        scheduler(model, 1),
        pool(model->transformer->config(), model->transformer->kv_type(), model->options.cache_bytes),
        cache(pool),
        negative_cache(pool) {}

  const std::atomic<bool>* cancelled() const { return cancel != nullptr ? &cancel->flag() : nullptr; }

  std::shared_ptr<const Model::Impl> model;
  Scheduler scheduler;
  KvPool pool;
  KvSequence cache;
  KvSequence negative_cache;
  std::shared_ptr<Sequence> current;  // of the last generate(); the caches hold what it has read
  const CancelFlag* cancel = nullptr;
  std::function<void(std::size_t, std::size_t)> progress;
};

struct Stream::Impl {
  std::shared_ptr<Session::Impl> session;
  std::shared_ptr<Sequence> sequence;
  std::vector<TokenId> prompt, generated;
  Timing timing;
  std::optional<Error> failed;

  bool is_current() const { return session->current == sequence; }
};

}  // namespace partita
