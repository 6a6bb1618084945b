// Batch: continuous batching. Admits requests, runs steps, and reports events; answers do not depend on batch
// composition.
#include <algorithm>

#include "api/serving/model_drafter.h"
#include "api/serving/scheduler.h"
#include "sampling/chain/numbers.h"
#include "weights/catch_all.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;
namespace {

/// A request of a batch with its own KV caches.
struct Entry {
  Entry(Batch::Ticket number, int precedence, KvPool& pool)
      : ticket(number), priority(precedence), cache(pool), negative_cache(pool) {}

  void evict_caches() {
    cache.truncate(0);
    negative_cache.truncate(0);
  }

  Batch::Ticket ticket;
  int priority;
  KvSequence cache, negative_cache;
  std::optional<Sequence> sequence;
};

Result<void> check(const BatchOptions& options) {
  if (options.max_sequences == 0 || options.max_sequences > kStepRows) {
    return invalid("sequences is ", options.max_sequences, "; it must be 1 to ", kStepRows);
  }
  // Two at least: an answer with guidance takes two rows.
  const std::size_t least = std::max<std::size_t>(options.max_sequences, 2);
  if (options.step_tokens < least || options.step_tokens > kStepRows) {
    return invalid("step_tokens is ", options.step_tokens, "; it must be ", least,
                   " (the sequences, or 2) to ", kStepRows);
  }
  if (!(options.most_delay >= 1)) {
    return invalid("most_delay is ", to_text(static_cast<float>(options.most_delay)),
                   "; it must be at least 1");
  }
  return {};
}

}  // namespace

struct Batch::Impl {
  Impl(std::shared_ptr<const LoadedModel> opened, const BatchOptions& options)
      : model(std::move(opened)),
        max_sequences(options.max_sequences),
        pool(model->transformer->states(), model->transformer->kv_type(), model->options.cache_bytes),
        prefixes(options.prefix_bytes > 0 ? std::make_unique<PrefixCache>(pool, options.prefix_bytes)
                                          : nullptr),
        scheduler(model, {options.max_sequences, options.step_tokens, options.most_delay, prefixes.get()}) {}

  void insert(std::unique_ptr<Entry> entry);
  std::size_t running() const { return std::min(entries.size(), max_sequences); }
  const std::atomic<bool>* cancelled() const { return cancel != nullptr ? &cancel->flag() : nullptr; }
  std::optional<Error> never_fits(const Entry& entry) const;
  void report_finished(std::vector<Event>& events);
  void report(Outcome& outcome, std::vector<Event>& events);
  void settle();

  std::shared_ptr<const LoadedModel> model;
  std::size_t max_sequences;
  KvPool pool;
  std::unique_ptr<PrefixCache> prefixes;  // null: no prefix cache
  Scheduler scheduler;
  std::shared_ptr<DraftRuntime> draft;          // null: prompt lookup
  std::vector<std::unique_ptr<Entry>> entries;  // by precedence; the first max_sequences run
  std::vector<Sequence*> stepping;              // of the running entries; null once one has ended
  std::vector<Outcome> outcomes;
  Ticket next_ticket = 1;
  const CancelFlag* cancel = nullptr;
  Timing timing;
};

Result<Batch> Model::batch(const BatchOptions& options) const {
  return catch_all([&]() -> Result<Batch> {
    TRY(impl_->check_weights());
    TRY(check(options));
    auto batch = std::make_unique<Batch::Impl>(impl_, options);
    if (options.draft) {
      TRY(impl_->check_compatible(options.draft->impl()));
      batch->draft = std::make_shared<DraftRuntime>(options.draft->impl_);
    }
    return Batch(std::move(batch));
  });
}

Result<Batch> Model::batch(std::size_t max_sequences) const {
  BatchOptions options;
  options.max_sequences = max_sequences;
  return batch(options);
}

Batch::Batch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;
Batch::~Batch() = default;

void Batch::Impl::insert(std::unique_ptr<Entry> entry) {
  auto at = entries.end();
  while (at != entries.begin() && (*std::prev(at))->priority < entry->priority) --at;
  entries.insert(at, std::move(entry));
  if (entries.size() > max_sequences) entries[max_sequences]->evict_caches();  // it may have run
}

Result<Batch::Ticket> Batch::add(const Request& request) {
  return catch_all([&]() -> Result<Ticket> {
    auto entry = std::make_unique<Entry>(impl_->next_ticket, request.priority, impl_->pool);
    auto sequence = Sequence::create(*impl_->model, request, entry->cache, &entry->negative_cache, kNoLimit,
                                     impl_->cancelled());
    if (!sequence) return sequence.error();
    if (impl_->draft != nullptr && sequence->drafter() != nullptr) {
      sequence->set_drafter(make_model_drafter(impl_->draft, *sequence));
    }
    entry->sequence.emplace(std::move(*sequence));
    impl_->insert(std::move(entry));
    return impl_->next_ticket++;
  });
}

void Batch::cancel(Ticket ticket) noexcept {
  std::erase_if(impl_->entries, [&](const std::unique_ptr<Entry>& entry) { return entry->ticket == ticket; });
}

std::size_t Batch::running() const noexcept { return impl_->entries.size(); }

std::size_t Batch::prompt_tokens(Ticket ticket) const noexcept {
  // From the back: callers ask right after add().
  const auto found =
      std::find_if(impl_->entries.rbegin(), impl_->entries.rend(),
                   [&](const std::unique_ptr<Entry>& entry) { return entry->ticket == ticket; });
  return found == impl_->entries.rend() ? 0 : (*found)->sequence->prompt().size();
}

bool Batch::full() const noexcept { return running() >= impl_->max_sequences; }

void Batch::set_cancel(const CancelFlag* flag) noexcept { impl_->cancel = flag; }

const Timing& Batch::timing() const noexcept { return impl_->timing; }

const Counts& Batch::counts() const noexcept { return impl_->scheduler.counts(); }

/// Precondition: `events` has capacity for one more, so that nothing here throws.
void Batch::Impl::report(Outcome& outcome, std::vector<Event>& events) {
  Event event;
  event.ticket = entries[outcome.index]->ticket;
  if (outcome.token) {
    event.token = *std::move(outcome.token);
    event.finish = outcome.finish;
  } else {
    event.error = error_of(outcome.token.error().code, [&] { return outcome.token.error().message; });
  }
  events.push_back(std::move(event));
  if (!outcome.token || outcome.finish != Finish::kNone) stepping[outcome.index] = nullptr;
}

/// An error if the prompts of a request that has read nothing exceed the cache budget even if it runs alone.
std::optional<Error> Batch::Impl::never_fits(const Entry& entry) const {
  const std::size_t budget = pool.budget_bytes();
  if (budget == 0 || entry.cache.length() > 0) return std::nullopt;
  std::size_t tokens = 0, bytes = 0;
  for (std::size_t t = 0; t < entry.sequence->tracks(); ++t) {
    const std::size_t ids = entry.sequence->track(t).ids.size();
    tokens += ids;
    bytes += pool.min_bytes_for(ids);
  }
  if (bytes <= budget) return std::nullopt;
  return Error{ErrorCode::kOutOfMemory, sentence("the prompt of ", tokens, " tokens takes ", bytes,
                                                 " bytes of KV cache, and its budget is ", budget)};
}

/// Reports and removes running requests that wanted no tokens, and those whose prompts never fit.
void Batch::Impl::report_finished(std::vector<Event>& events) {
  for (std::size_t i = 0; i < running();) {
    const Finish finish = entries[i]->sequence->finish();
    std::optional<Error> error = finish == Finish::kNone ? never_fits(*entries[i]) : std::nullopt;
    if (finish == Finish::kNone && !error) {
      ++i;
      continue;
    }
    events.push_back({entries[i]->ticket, std::nullopt, std::move(error), finish});
    entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

/// After a step: removes requests that have ended, and releases pages that no later token attends to.
void Batch::Impl::settle() {
  for (std::size_t i = 0; i < stepping.size(); ++i) {
    if (stepping[i] == nullptr) entries[i].reset();
  }
  std::erase_if(entries, [](const std::unique_ptr<Entry>& entry) { return entry == nullptr; });
  for (std::size_t i = 0; i < running(); ++i) {
    entries[i]->cache.release_unseen();
    entries[i]->negative_cache.release_unseen();
  }
  if (prefixes != nullptr) prefixes->trim();
}

Result<void> Batch::advance(std::vector<Event>& events) {
  return catch_all([&]() -> Result<void> {
    Impl& impl = *impl_;
    impl.report_finished(events);
    impl.stepping.clear();
    for (std::size_t i = 0; i < impl.running(); ++i) impl.stepping.push_back(&*impl.entries[i]->sequence);
    impl.outcomes.clear();
    // No token of a step may be lost: memory for its events is reserved before it begins.
    const std::size_t capacity = events.size() + 2 * impl.stepping.size() + kMaxDraftTokensPerStep;
    if (capacity > events.capacity()) events.reserve(std::max(capacity, 2 * events.capacity()));
    auto done = catch_all(
        [&] { return impl.scheduler.step(impl.stepping, impl.cancelled(), impl.timing, impl.outcomes); });
    // Also after a step that failed: a request may have failed while the step was planned.
    for (Outcome& outcome : impl.outcomes) impl.report(outcome, events);
    impl.settle();
    return done;
  });
}

}  // namespace partita
