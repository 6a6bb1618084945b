// Scores of given ids (log-probabilities, ranks, perplexity) and the KL divergence of two models, with the
// steps and the head of generation, at every position.
#include <algorithm>
#include <cmath>
#include <limits>

#include "api/adapters/adapters.h"
#include "api/serving/session.h"
#include "api/trace_nan.h"
#include "engine/kernels/parallel.h"
#include "sampling/softmax/softmax.h"
#include "weights/catch_all.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;
namespace {

/// Positions that the head answers at a time: enough to share each read of its weights, few enough for rows
/// of 262,144 logits.
constexpr std::size_t kHeadRows = 32;

/// Reads ids with a session's engine into another cache, so that the conversation is unchanged.
class Reader {
 public:
  Reader(Session::Impl& session, std::size_t tokens, std::shared_ptr<const AdapterSet> adapters)
      : session_(&session), cache_(session.pool) {
    cache_.set_rope_limit(session.model->transformer->config().rope_limit(tokens));
    cache_.set_adapters(std::move(adapters));
  }

  /// The hidden states of all ids of this chunk, [ids.size()][hidden_size].
  Result<const float*> read(std::span<const TokenId> ids) {
    hidden_.resize(ids.size() * session_->model->info.hidden_size);
    const Chunk chunk{&cache_, ids, Role::kPrompt, ids.size()};
    auto done = session_->scheduler.engine().step({&chunk, 1}, hidden_.data(), session_->cancelled());
    if (!done) return done.error();
    cache_.release_unseen();
    return hidden_.data();
  }

 private:
  Session::Impl* session_;
  KvSequence cache_;
  std::vector<float> hidden_;
};

Result<void> check(const LoadedModel& model, std::span<const TokenId> ids) {
  if (ids.empty()) return invalid("there is no token to score");
  if (ids.size() > model.info.context_length) {
    return invalid("the text has ", ids.size(), " tokens, but the model's context holds ",
                   model.info.context_length);
  }
  return model.check_ids(ids);
}

/// Calls visit(first, hidden, rows) for every group of at most kHeadRows positions; hidden:
/// [rows][hidden_size].
template <class Visit>
Result<void> visit_positions(Session::Impl& session, std::span<const TokenId> ids,
                             const std::shared_ptr<const AdapterSet>& adapters, Visit visit) {
  const std::size_t width = session.model->info.hidden_size;
  Reader reader(session, ids.size(), adapters);
  for (std::size_t at = 0; at < ids.size(); at += kStepRows) {
    const auto chunk_ids = ids.subspan(at, std::min(kStepRows, ids.size() - at));
    auto hidden = reader.read(chunk_ids);
    if (!hidden) return hidden.error();
    for (std::size_t i = 0; i < chunk_ids.size(); i += kHeadRows) {
      const std::size_t rows = std::min(kHeadRows, chunk_ids.size() - i);
      TRY(visit(at + i, *hidden + i * width, rows));
    }
    if (session.progress) session.progress(at + chunk_ids.size(), ids.size());
  }
  return {};
}

/// Fills score.logprobs, score.top1 and score.ranks of the ids after positions [first, first + rows).
class Scorer {
 public:
  Scorer(Session::Impl& session, const AdapterSet* adapters)
      : session_(&session), adapters_(adapters), scratch_(session.model->head_scratch(kHeadRows)) {}

  Result<void> visit(std::size_t first, const float* hidden, std::size_t rows, Score& score) {
    const std::size_t last = score.ids.size() - 1;  // the last position has no next id
    rows = std::min(rows, last - std::min(first, last));
    if (rows == 0) return {};
    std::vector<Question> questions(rows);
    std::vector<Result<Answer>> answers(rows, Answer{});
    for (std::size_t r = 0; r < rows; ++r) {
      questions[r].hidden = hidden + r * session_->model->info.hidden_size;
      questions[r].score = std::span<const TokenId>(score.ids).subspan(first + r + 1, 1);
      questions[r].rank = questions[r].score;
      questions[r].top = 1;
      questions[r].adapters = adapters_;
    }
    session_->model->head->answer(questions, *scratch_, answers);
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t at = first + r + 1;
      if (!answers[r]) {
        const Error error = traced(*session_->model, answers[r].error(), questions[r].hidden,
                                   std::span(score.ids).first(at), at, session_->cancelled());
        return at_place(error, "token ", at, " of the text");
      }
      score.logprobs[at] = answers[r]->score[0];
      score.top1[at] = answers[r]->top[0].first;
      score.ranks[at] = answers[r]->rank[0];
    }
    return {};
  }

 private:
  Session::Impl* session_;
  const AdapterSet* adapters_;  // that change the output; null: none
  std::unique_ptr<HeadScratch> scratch_;
};

Score empty_score(std::span<const TokenId> ids) {
  Score score;
  score.ids.assign(ids.begin(), ids.end());
  score.logprobs.assign(ids.size(), std::numeric_limits<float>::quiet_NaN());
  score.top1.assign(ids.size(), -1);
  score.ranks.assign(ids.size(), 0);
  return score;
}

void summarise(Score& score) {
  double sum = 0;
  for (std::size_t i = 1; i < score.logprobs.size(); ++i) sum -= score.logprobs[i];
  score.nll = score.ids.size() > 1 ? sum / static_cast<double>(score.ids.size() - 1)
                                   : std::numeric_limits<double>::quiet_NaN();
  score.perplexity = std::exp(score.nll);
}

/// Rows of logits, [rows][vocab], with the log-partition of each.
class LogitRows {
 public:
  LogitRows(Session::Impl& session, std::span<const TokenId> ids, const AdapterSet* adapters)
      : session_(&session),
        model_(session.model.get()),
        adapters_(adapters),
        ids_(ids),
        scratch_(model_->head_scratch(kHeadRows)) {}

  Result<void> fill(const float* hidden, std::size_t rows, std::size_t first) {
    const std::size_t width = model_->head->vocab_size();
    logits_.resize(rows * width);
    partitions_.resize(rows);
    model_->head->logits(hidden, rows, adapters_, *scratch_, logits_.data());
    for (std::size_t r = 0; r < rows; ++r) {
      auto partition = log_partition(row(r), model_->transformer->kernels());
      if (!partition) {
        const Error error = traced(*model_, partition.error(), hidden + r * model_->info.hidden_size,
                                   ids_.first(first + r + 1), ids_.size(), session_->cancelled());
        return at_place(error, "token ", first + r, " of the text");
      }
      partitions_[r] = *partition;
    }
    return {};
  }

  std::span<const float> row(std::size_t r) const {
    const std::size_t width = model_->head->vocab_size();
    return std::span<const float>(logits_).subspan(r * width, width);
  }
  double log_sum_exp(std::size_t r) const { return partitions_[r].log_sum_exp; }

 private:
  Session::Impl* session_;
  const LoadedModel* model_;
  const AdapterSet* adapters_;  // that change the output; null: none
  std::span<const TokenId> ids_;
  std::unique_ptr<HeadScratch> scratch_;
  std::vector<float> logits_;
  std::vector<LogPartition> partitions_;
};

struct RowDivergence {
  double kl = 0;
  bool same_top = false;
};

/// KL(p || q) = sum p (log p - log q), in double.
RowDivergence divergence(std::span<const float> p, double p_lse, std::span<const float> q, double q_lse) {
  RowDivergence result;
  std::size_t p_top = 0, q_top = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double log_p = static_cast<double>(p[i]) - p_lse;
    const double log_q = static_cast<double>(q[i]) - q_lse;
    if (p[i] != -std::numeric_limits<float>::infinity()) result.kl += std::exp(log_p) * (log_p - log_q);
    if (p[i] > p[p_top]) p_top = i;
    if (q[i] > q[q_top]) q_top = i;
  }
  result.same_top = p_top == q_top;
  return result;
}

}  // namespace

Result<Score> Session::score(std::span<const TokenId> ids, std::span<const AppliedAdapter> adapters) {
  return catch_all([&]() -> Result<Score> {
    TRY(check(*impl_->model, ids));
    const auto set = adapter_set(*impl_->model, adapters);
    if (!set) return set.error();
    Score score = empty_score(ids);
    Scorer scorer(*impl_, impl_->model->head_adapters(set->get()));
    auto done =
        visit_positions(*impl_, ids, *set, [&](std::size_t first, const float* hidden, std::size_t rows) {
          return scorer.visit(first, hidden, rows, score);
        });
    if (!done) return done.error();
    summarise(score);
    return score;
  });
}

Result<std::pair<Score, Divergence>> Session::score_against(std::span<const TokenId> ids, Session& reference,
                                                            std::span<const AppliedAdapter> adapters,
                                                            std::span<const AppliedAdapter> of_reference) {
  return catch_all([&]() -> Result<std::pair<Score, Divergence>> {
    const LoadedModel& mine = *impl_->model;
    const LoadedModel& theirs = *reference.impl_->model;
    if (mine.info.vocab_size != theirs.info.vocab_size) {
      return invalid("the models cannot be compared: \"", printable(mine.info.path),
                     "\" has a vocabulary of ", mine.info.vocab_size, ", \"", printable(theirs.info.path),
                     "\" one of ", theirs.info.vocab_size);
    }
    TRY(check(mine, ids));
    TRY(check(theirs, ids));
    const auto set = adapter_set(mine, adapters);
    if (!set) return set.error();
    const auto their_set = adapter_set(theirs, of_reference);
    if (!their_set) return their_set.error();
    const AdapterSet* const of_head = mine.head_adapters(set->get());

    Score score = empty_score(ids);
    Divergence total;
    std::vector<RowDivergence> rows_apart(kHeadRows);
    std::size_t same_top = 0;
    Scorer scorer(*impl_, of_head);
    LogitRows my_logits(*impl_, ids, of_head),
        their_logits(*reference.impl_, ids, theirs.head_adapters(their_set->get()));
    Reader their_reader(*reference.impl_, ids.size(), *their_set);
    const float* their_hidden = nullptr;
    auto done = visit_positions(
        *impl_, ids, *set, [&](std::size_t first, const float* hidden, std::size_t n) -> Result<void> {
          if (first % kStepRows == 0) {
            auto read = their_reader.read(ids.subspan(first, std::min(kStepRows, ids.size() - first)));
            if (!read) return read.error();
            their_hidden = *read;
          }
          const float* theirs_here = their_hidden + first % kStepRows * theirs.info.hidden_size;
          TRY(my_logits.fill(hidden, n, first));
          TRY(their_logits.fill(theirs_here, n, first));
          parallel(mine.options.threads, [&](const Worker& worker) {
            const auto [begin, end] = worker.share(n);
            for (std::size_t r = begin; r < end; ++r) {
              rows_apart[r] = divergence(their_logits.row(r), their_logits.log_sum_exp(r), my_logits.row(r),
                                         my_logits.log_sum_exp(r));
            }
          });
          for (std::size_t r = 0; r < n; ++r) {
            total.kl_mean += rows_apart[r].kl;
            total.kl_max = std::max(total.kl_max, rows_apart[r].kl);
            if (first + r + 1 < ids.size()) {
              const auto next = static_cast<std::size_t>(ids[first + r + 1]);
              total.reference_nll +=
                  their_logits.log_sum_exp(r) - static_cast<double>(their_logits.row(r)[next]);
            }
            same_top += rows_apart[r].same_top ? 1 : 0;
          }
          return scorer.visit(first, hidden, n, score);
        });
    if (!done) return done.error();
    total.kl_mean /= static_cast<double>(ids.size());
    total.same_top = static_cast<double>(same_top) / static_cast<double>(ids.size());
    total.reference_nll /= static_cast<double>(ids.size() - 1);  // NaN for a single id
    total.reference_perplexity = std::exp(total.reference_nll);
    summarise(score);
    return std::pair(std::move(score), total);
  });
}

Result<std::vector<float>> Session::logits(std::span<const TokenId> ids, std::size_t outputs,
                                           std::span<const AppliedAdapter> adapters) {
  return catch_all([&]() -> Result<std::vector<float>> {
    TRY(check(*impl_->model, ids));
    const auto set = adapter_set(*impl_->model, adapters);
    if (!set) return set.error();
    if (outputs > ids.size()) {
      return invalid("logits of the last ", outputs, " positions are asked for, but there are ", ids.size(),
                     " ids");
    }
    Session::Impl& session = *impl_;
    const std::size_t skip = ids.size() - outputs, width = session.model->info.hidden_size;
    const std::size_t vocabulary = session.model->head->vocab_size();
    std::vector<float> logits(outputs * vocabulary), hidden;
    const auto scratch = session.model->head_scratch(kHeadRows);
    session.begin_probe(ids.first(skip), ids.size(), *set);
    const AdapterSet* const of_head = session.model->head_adapters(set->get());
    while (outputs > 0 && session.probe.length() < ids.size()) {
      const std::size_t first = session.probe.length();
      const auto chunk_ids = ids.subspan(first, std::min(kStepRows, ids.size() - first));
      const std::size_t wanted = chunk_ids.size() - std::min(chunk_ids.size(), skip - std::min(skip, first));
      hidden.resize(wanted * width);
      const Chunk chunk{&session.probe, chunk_ids, Role::kPrompt, wanted};
      auto done = session.scheduler.engine().step({&chunk, 1}, hidden.data(), session.cancelled());
      if (!done) {
        session.end_probe();
        return done.error();
      }
      session.probe_ids.insert(session.probe_ids.end(), chunk_ids.begin(), chunk_ids.end());
      session.probe.release_unseen(kRollbackTokens);
      float* const out = logits.data() + (std::max(first, skip) - skip) * vocabulary;
      for (std::size_t i = 0; i < wanted; i += kHeadRows) {
        const std::size_t rows = std::min(kHeadRows, wanted - i);
        session.model->head->logits(hidden.data() + i * width, rows, of_head, *scratch, out + i * vocabulary);
      }
      if (session.progress) session.progress(session.probe.length(), ids.size());
    }
    return logits;
  });
}

}  // namespace partita
