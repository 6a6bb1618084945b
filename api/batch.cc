// Batch: many requests at once, each as if it were alone.
#include <algorithm>
#include <deque>

#include "api/guard.h"
#include "api/scheduler.h"

namespace partita {
namespace {

/// A request of a batch with its own cache.
struct Entry {
  Entry(Batch::Ticket number, KvPool& pool) : ticket(number), cache(pool), negative_cache(pool) {}

  Batch::Ticket ticket;
  KvSequence cache, negative_cache;
  std::optional<Sequence> sequence;
};

}  // namespace

struct Batch::Impl {
  Impl(std::shared_ptr<const Model::Impl> opened, std::size_t sequences)
      : model(std::move(opened)),
        max_sequences(sequences),
        scheduler(model, sequences),
        pool(model->transformer->config(), model->transformer->kv_type(), model->options.cache_bytes) {}

  void report_complete(std::vector<Event>& events);
  void report(const Scheduler::Outcome& outcome, std::vector<Event>& events);

  std::shared_ptr<const Model::Impl> model;
  std::size_t max_sequences;
  Scheduler scheduler;
  KvPool pool;
  std::vector<std::unique_ptr<Entry>> running;  // by age
  std::deque<std::unique_ptr<Entry>> waiting;
  std::vector<Sequence*> stepping;
  std::vector<Scheduler::Outcome> outcomes;
  Ticket next_ticket = 1;
  const CancelFlag* cancel = nullptr;
  Timing timing;
};

Result<Batch> Model::batch(std::size_t max_sequences) const {
  return guarded([&]() -> Result<Batch> {
    if (impl_->transformer == nullptr) {
      return Error{ErrorCode::kInvalidArgument,
                   "\"" + impl_->info.path + "\" was opened for its text side only"};
    }
    if (max_sequences == 0 || max_sequences > kStepRows) {
      return Error{ErrorCode::kInvalidArgument, "sequences is " + std::to_string(max_sequences) +
                                                    "; it must be 1 to " + std::to_string(kStepRows)};
    }
    return Batch(std::make_unique<Batch::Impl>(impl_, max_sequences));
  });
}

Batch::Batch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;
Batch::~Batch() = default;

Result<Batch::Ticket> Batch::add(const Request& request) {
  return guarded([&]() -> Result<Ticket> {
    auto entry = std::make_unique<Entry>(impl_->next_ticket, impl_->pool);
    auto sequence = Sequence::create(*impl_->model, request, entry->cache, &entry->negative_cache);
    if (!sequence) return sequence.error();
    entry->sequence.emplace(std::move(*sequence));
    impl_->waiting.push_back(std::move(entry));
    return impl_->next_ticket++;
  });
}

void Batch::cancel(Ticket ticket) {
  const auto is_it = [&](const std::unique_ptr<Entry>& entry) { return entry->ticket == ticket; };
  std::erase_if(impl_->running, is_it);
  std::erase_if(impl_->waiting, is_it);
}

std::size_t Batch::running() const { return impl_->running.size() + impl_->waiting.size(); }

bool Batch::full() const { return running() >= impl_->max_sequences; }

void Batch::set_cancel(const CancelFlag* flag) { impl_->cancel = flag; }

const Timing& Batch::timing() const { return impl_->timing; }

void Batch::Impl::report(const Scheduler::Outcome& outcome, std::vector<Event>& events) {
  const Entry& entry = *running[outcome.index];
  Event event;
  event.ticket = entry.ticket;
  if (outcome.token) {
    event.token = *outcome.token;
    event.finish = entry.sequence->finish();
  } else {
    event.error = outcome.token.error();
  }
  events.push_back(std::move(event));
}

/// Requests that wanted no tokens at all.
void Batch::Impl::report_complete(std::vector<Event>& events) {
  for (const std::unique_ptr<Entry>& entry : running) {
    if (entry->sequence->finish() == Finish::kNone) continue;
    events.push_back({entry->ticket, std::nullopt, std::nullopt, entry->sequence->finish()});
  }
  std::erase_if(running, [](const auto& entry) { return entry->sequence->finish() != Finish::kNone; });
}

Result<void> Batch::advance(std::vector<Event>& events) {
  return guarded([&]() -> Result<void> {
    Impl& impl = *impl_;
    while (impl.running.size() < impl.max_sequences && !impl.waiting.empty()) {
      impl.running.push_back(std::move(impl.waiting.front()));
      impl.waiting.pop_front();
    }
    impl.report_complete(events);
    impl.stepping.clear();
    for (const std::unique_ptr<Entry>& entry : impl.running) impl.stepping.push_back(&*entry->sequence);
    impl.outcomes.clear();
    const std::atomic<bool>* cancelled = impl.cancel != nullptr ? &impl.cancel->flag() : nullptr;
    auto done = impl.scheduler.step(impl.stepping, cancelled, impl.timing, impl.outcomes);

    // Also after a cancelled step: a request may have failed while the step was planned.
    for (const Scheduler::Outcome& outcome : impl.outcomes) {
      impl.report(outcome, events);
      const bool over = !outcome.token || impl.running[outcome.index]->sequence->finish() != Finish::kNone;
      if (over) impl.stepping[outcome.index] = nullptr;
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < impl.running.size(); ++i) {
      if (impl.stepping[i] != nullptr) impl.running[kept++] = std::move(impl.running[i]);
    }
    impl.running.resize(kept);
    for (const std::unique_ptr<Entry>& entry : impl.running) {
      entry->cache.release_unseen();
      entry->negative_cache.release_unseen();
    }
    return done;
  });
}

}  // namespace partita
