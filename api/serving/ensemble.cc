// Ensemble: several models read the same ids; the token is chosen from one row, the mean of theirs.
#include "sampling/chain/ensemble.h"

#include <algorithm>
#include <chrono>

#include "api/clock.h"
#include "api/serving/model_runtime.h"
#include "api/serving/stream.h"
#include "api/serving/token_source.h"
#include "api/trace_nan.h"
#include "sampling/heads/row_answer.h"
#include "weights/catch_all.h"
#include "weights/try.h"

namespace partita {
using namespace internal;

static_assert(Ensemble::kMaxMembers == kMaxEnsemble);

namespace {

/// One member, with its cache of the sequence.
struct Reader : ModelRuntime {
  explicit Reader(std::shared_ptr<const LoadedModel> opened)
      : ModelRuntime(std::move(opened)), hidden(model->info.hidden_size) {}

  std::vector<float> hidden;  // [hidden_size] of the last id of the sequence
};

}  // namespace

struct Ensemble::Impl final : TokenSource {
  Impl(const std::vector<std::shared_ptr<const LoadedModel>>& models, const EnsemblePool& how) : pool(how) {
    for (std::size_t i = 0; i < models.size(); ++i) {
      readers.push_back(std::make_unique<Reader>(models[i]));
      context = std::min(context, models[i]->info.context_length);
      if (pool.counts(i)) last = i;
    }
    vocabulary = first().info.vocab_size;
    rows.resize(models.size() * vocabulary);
    row.resize(vocabulary);
  }

  const LoadedModel& first() const { return *readers.front()->model; }

  Result<void> next(Sequence& sequence, Timing& timing, std::deque<Token>& tokens) override;
  Result<void> read(std::size_t member, const Sequence& sequence, Timing& timing);
  Result<Token> answer(Sequence& sequence);
  Error explained(const Sequence& sequence, const Error& error) const;
  void report_progress(const Sequence& sequence) const;

  EnsemblePool pool;
  std::vector<std::unique_ptr<Reader>> readers;  // one a member
  std::size_t last = 0;                          // member of weight > 0
  std::size_t context = kNoLimit;                // the shortest of the members'
  std::size_t vocabulary = 0;
  std::vector<float> rows;  // [members][vocabulary]
  std::vector<float> row;   // [vocabulary]: their mean
  Candidates candidates;
};

void Ensemble::Impl::report_progress(const Sequence& sequence) const {
  if (!progress) return;
  const std::size_t prompt = sequence.prompt().size();
  std::size_t done = 0, all = 0;
  for (std::size_t i = 0; i < readers.size(); ++i) {
    if (!pool.counts(i)) continue;
    done += std::min(readers[i]->cache.length(), prompt);
    all += prompt;
  }
  progress(done, all);
}

/// Brings a member's cache up to all ids, and its row with it. Where it stopped before, it goes on. Tokens
/// are counted once, by the last member.
Result<void> Ensemble::Impl::read(std::size_t member, const Sequence& sequence, Timing& timing) {
  Reader& reader = *readers[member];
  const auto ids = sequence.ids();
  const std::size_t prompt = sequence.prompt().size();
  while (reader.cache.length() < ids.size()) {
    const auto start = std::chrono::steady_clock::now();
    const std::size_t before = reader.cache.length();
    auto done = reader.scheduler.read_chunk(ids, prompt, reader.cache, Scheduler::Outputs::kLast,
                                            reader.hidden.data(), cancelled());
    if (!done) return done.error();
    const std::size_t after = reader.cache.length();
    release_unseen(*reader.model, reader.cache);
    if (after == ids.size()) {
      reader.model->head->logits(reader.hidden.data(), 1, nullptr, reader.scheduler.head_scratch(),
                                 rows.data() + member * vocabulary);
    }
    const std::size_t tokens = member == last ? after - before : 0;
    (before < prompt ? timing.prefill_tokens : timing.decode_tokens) += tokens;
    (before < prompt ? timing.prefill_s : timing.decode_s) += seconds_since(start);
    if (before < prompt) report_progress(sequence);
  }
  return {};
}

/// The error of a member whose numbers are not finite, with the place where that began.
Error Ensemble::Impl::explained(const Sequence& sequence, const Error& error) const {
  for (std::size_t i = 0; i < readers.size(); ++i) {
    if (!pool.counts(i)) continue;
    Error more = traced(*readers[i]->model, error, readers[i]->hidden.data(), sequence.ids(),
                        sequence.prompt().size(), cancelled());
    if (more.message != error.message) return more;
  }
  return error;
}

/// The next token, of rows that are all complete.
Result<Token> Ensemble::Impl::answer(Sequence& sequence) {
  const Kernels& kernels = first().transformer->kernels();
  if (auto done = pool.combine(rows, row, kernels); !done)
    return sequence.at_next(explained(sequence, done.error()));
  auto answer =
      answer_row(sequence.question(nullptr, nullptr), LogitRow(row), LogitRow(row), kernels, candidates);
  if (!answer) return sequence.at_next(answer.error());
  return sequence.accept(*answer);
}

Result<void> Ensemble::Impl::next(Sequence& sequence, Timing& timing, std::deque<Token>& tokens) {
  for (std::size_t i = 0; i < readers.size(); ++i) {
    if (!pool.counts(i)) continue;
    TRY(read(i, sequence, timing));
  }
  const auto start = std::chrono::steady_clock::now();
  double& seconds = sequence.ids().size() > sequence.prompt().size() ? timing.decode_s : timing.prefill_s;
  auto token = answer(sequence);
  seconds += seconds_since(start);
  if (!token) return token.error();
  tokens.push_back(std::move(*token));
  return {};
}

Ensemble::Ensemble(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ensemble::Ensemble(Ensemble&&) noexcept = default;
Ensemble& Ensemble::operator=(Ensemble&&) noexcept = default;
Ensemble::~Ensemble() = default;

Result<Ensemble> Ensemble::create(std::vector<EnsembleMember> members, EnsembleSpace space) {
  return catch_all([&]() -> Result<Ensemble> {
    std::vector<float> weights;
    std::vector<std::shared_ptr<const LoadedModel>> models;
    for (const EnsembleMember& member : members) {
      weights.push_back(member.weight);
      models.push_back(member.model.impl_);
    }
    auto pool = EnsemblePool::create(
        weights, space == EnsembleSpace::kLogit ? PoolSpace::kLogit : PoolSpace::kProbability);
    if (!pool) return pool.error();
    for (const auto& model : models) {
      TRY(models.front()->check_compatible(*model));
    }
    return Ensemble(std::make_shared<Impl>(models, *pool));
  });
}

Result<Stream> Ensemble::generate(const Request& request) {
  return catch_all([&]() -> Result<Stream> {
    if (!request.adapters.empty()) return invalid("adapters cannot be used in ensembles: leave them out");
    auto sequence = Sequence::create(impl_->first(), request, impl_->readers.front()->cache, nullptr,
                                     impl_->context, impl_->cancelled());
    if (!sequence) return sequence.error();
    for (const auto& reader : impl_->readers) {
      reader->cache.set_rope_limit(reader->model->transformer->config().rope_limit(sequence->most_tokens()));
      impl_->keep_common(reader->cache, *sequence, 0, reader->scheduler.engine().roles_differ());
    }
    impl_->current = std::make_shared<Sequence>(std::move(*sequence));
    return Stream(std::make_unique<Stream::Impl>(impl_));
  });
}

void Ensemble::set_cancel(const CancelFlag* flag) noexcept { impl_->cancel = flag; }

void Ensemble::set_progress(std::function<void(std::size_t, std::size_t)> progress) noexcept {
  impl_->progress = std::move(progress);
}

void Ensemble::reset() noexcept {
  for (const auto& reader : impl_->readers) reader->cache.truncate(0);
  impl_->current.reset();
}

}  // namespace partita
