// Beam search. The prompt is read once. Every beam has a KV cache that shares pages with the others,
// copy-on-write (KvSequence::fork). All beams advance in one step of the engine.
#include <algorithm>
#include <optional>

#include "api/search/search.h"
#include "api/trace_nan.h"
#include "sampling/search/beams.h"
#include "sampling/search/continuations.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// The most end tokens that are counted: a model file may name any number, and each costs candidates.
constexpr std::size_t kMaxEndings = 32;

/// Rows of logits held at a time where samplers act.
constexpr std::size_t kLogitRows = 16;

StopRule stop_rule(EarlyStopping early) {
  switch (early) {
    case EarlyStopping::kTrue:
      return StopRule::kFull;
    case EarlyStopping::kNever:
      return StopRule::kNever;
    case EarlyStopping::kFalse:
      break;
  }
  return StopRule::kHeuristic;
}

BeamOptions beam_options(const SearchRun& run) {
  BeamOptions options;
  options.beams = static_cast<std::size_t>(run.search.beams);
  options.groups = static_cast<std::size_t>(run.search.groups);
  options.diversity_penalty = static_cast<double>(run.search.diversity_penalty);
  options.length_penalty = static_cast<double>(run.search.length_penalty);
  options.stop = stop_rule(run.search.early_stopping);
  options.max_length = run.sequence().tokens_left();
  options.endings = std::min(kMaxEndings, run.model().tokenizer->specials().end_of_generation.size());
  return options;
}

class Driver {
 public:
  explicit Driver(SearchRun& run)
      : run_(run),
        beams_(beam_options(run)),
        rows_(static_cast<std::size_t>(run.search.beams)),
        hidden_(rows_ * run.model().info.hidden_size),
        scratch_(run.model().head_scratch(rows_)),
        likeliest_(rows_) {
    states_.assign(beams_.running().size(), run.sequence().chain().make_state());
    if (!run.request.stop.empty()) texts_.assign(beams_.running().size(), run.sequence().text());
  }

  Result<std::vector<Hypothesis>> search() {
    if (auto read = run_.read_prompt(run_.sequence().prompt().size(), hidden_.data()); !read) {
      return read.error();
    }
    TRY(ask(1));
    for (std::size_t i = 1; i < beams_.running().size(); ++i) likeliest_[i] = likeliest_[0];  // groups
    while (true) {
      beams_.advance(std::span(likeliest_).first(beams_.running().size()),
                     [&](std::size_t beam, TokenId id) { return completes(beam, id); });
      if (beams_.done()) break;
      follow_parents();
      TRY(run_.step(caches_, last_, hidden_.data()));
      TRY(ask(beams_.running().size()));
    }
    return answers();
  }

 private:
  bool completes(std::size_t beam, TokenId id) {
    if (run_.model().tokenizer->ends_generation(id)) return true;
    if (texts_.empty()) return false;
    trial_ = texts_[beam];
    trial_->push(id);
    return trial_->stopped();
  }

  /// Gives each running beam its parent's cache, chain state and text. The last child of a parent moves them,
  /// the others fork.
  void follow_parents() {
    const auto parents = beams_.parents();
    last_.clear();
    next_caches_.clear();
    for (std::size_t i = 0; i < parents.size(); ++i) {
      last_.push_back(beams_.running()[i].ids.back());
      const bool wanted_again = std::find(parents.begin() + static_cast<std::ptrdiff_t>(i) + 1, parents.end(),
                                          parents[i]) != parents.end();
      if (caches_.empty()) {
        next_caches_.push_back(run_.session.cache.fork());
      } else if (wanted_again) {
        next_caches_.push_back(caches_[parents[i]].fork());
      } else {
        next_caches_.push_back(std::move(caches_[parents[i]]));
      }
    }
    caches_.swap(next_caches_);
    next_caches_.clear();  // releases pages of beams without children
    next_states_.clear();
    for (std::size_t i = 0; i < parents.size(); ++i) {
      next_states_.push_back(states_[parents[i]]);
      run_.sequence().chain().accept({last_[i], 1}, next_states_.back());
    }
    states_.swap(next_states_);
    if (texts_.empty()) return;
    next_texts_.clear();
    for (std::size_t i = 0; i < parents.size(); ++i) {
      next_texts_.push_back(texts_[parents[i]]);
      next_texts_.back().push(last_[i]);
    }
    texts_.swap(next_texts_);
  }

  /// Fills likeliest_ of the first `rows` running beams from hidden_.
  Result<void> ask(std::size_t rows) {
    const Result<void> asked = run_.sequence().chain().empty() ? ask_head(rows) : ask_chain(rows);
    if (asked) return {};
    return at_token(run_.sequence().prompt().size() + beams_.running()[0].ids.size(), asked.error());
  }

  Result<void> ask_head(std::size_t rows) {
    questions_.assign(rows, Question{});
    answers_.assign(rows, Answer{});
    for (std::size_t i = 0; i < rows; ++i) {
      questions_[i].hidden = hidden_.data() + i * run_.model().info.hidden_size;
      questions_[i].top = static_cast<int>(beams_.wanted());
      questions_[i].adapters = run_.model().head_adapters(run_.session.cache);
    }
    run_.model().head->answer(questions_, *scratch_, answers_);
    for (std::size_t i = 0; i < rows; ++i) {
      if (!answers_[i]) return traced_at(i, answers_[i].error());
      likeliest_[i].clear();
      for (const auto& [id, logprob] : answers_[i]->top) likeliest_[i].push_back({id, logprob, logprob});
    }
    return {};
  }

  Result<void> ask_chain(std::size_t rows) {
    const OutputHead& head = *run_.model().head;
    const std::size_t vocabulary = head.vocab_size();
    logits_.resize(std::min(rows_, kLogitRows) * vocabulary);
    for (std::size_t first = 0; first < rows; first += kLogitRows) {
      const std::size_t n = std::min(kLogitRows, rows - first);
      head.logits(hidden_.data() + first * head.hidden_size(), n,
                  run_.model().head_adapters(run_.session.cache), *scratch_, logits_.data());
      for (std::size_t i = first; i < first + n; ++i) {
        remember(i);
        const StageContext context{
            history_, run_.sequence().prompt().size(), {}, &run_.model().transformer->kernels()};
        const auto logits = std::span<const float>(logits_).subspan((i - first) * vocabulary, vocabulary);
        auto found = likeliest_after(run_.sequence().chain(), logits, context, &states_[i], beams_.wanted(),
                                     continuation_scratch_, likeliest_[i]);
        if (!found) return traced_at(i, found.error());
      }
    }
    return {};
  }

  /// history_ = the ids of the prompt and of a beam.
  void remember(std::size_t beam) {
    const std::vector<TokenId>& ids = beams_.running()[beam].ids;
    history_.assign(run_.sequence().prompt().begin(), run_.sequence().prompt().end());
    history_.insert(history_.end(), ids.begin(), ids.end());
  }

  Error traced_at(std::size_t beam, const Error& error) {
    remember(beam);
    return traced(run_.model(), error, hidden_.data() + beam * run_.model().info.hidden_size, history_,
                  run_.sequence().prompt().size(), run_.session.cancelled());
  }

  Result<std::vector<Hypothesis>> answers() const {
    std::vector<Hypothesis> all;
    for (CompleteBeam& complete : beams_.best(static_cast<std::size_t>(run_.search.n_best))) {
      all.push_back(run_.hypothesis(std::move(complete.beam.ids), std::move(complete.beam.logprobs)));
      all.back().score = complete.rank;
    }
    if (!all.empty()) return all;
    return Error{ErrorCode::kBadNumbers, "no token was possible before an answer was complete"};
  }

  SearchRun& run_;
  BeamSearch beams_;
  const std::size_t rows_;     // the most running beams
  std::vector<float> hidden_;  // [rows_][hidden_size]
  std::unique_ptr<HeadScratch> scratch_;
  std::vector<std::vector<Continuation>> likeliest_;  // [rows_]
  std::vector<KvSequence> caches_, next_caches_;      // of the running beams; empty while they are the prompt
  std::vector<TokenId> last_;                         // of the running beams
  std::vector<ChainState> states_, next_states_;      // of the running beams
  std::vector<StopFilter> texts_, next_texts_;        // of the running beams, where there are stop strings
  std::optional<StopFilter> trial_;
  std::vector<Question> questions_;
  std::vector<Result<Answer>> answers_;
  std::vector<float> logits_;  // [up to kLogitRows][vocab]
  std::vector<TokenId> history_;
  ContinuationScratch continuation_scratch_;
};

}  // namespace

Result<std::vector<Hypothesis>> beam_search(SearchRun& run) { return Driver(run).search(); }

}  // namespace partita::internal
