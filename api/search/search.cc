// Session::search(): checks options, and the steps that all searches share.
#include "api/search/search.h"

#include <chrono>
#include <cmath>
#include <numeric>

#include "api/clock.h"
#include "api/sampling.h"
#include "sampling/chain/numbers.h"
#include "weights/catch_all.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita {
using namespace internal;
namespace {

Result<void> check_count(const char* name, int value, int min, int max) {
  if (value >= min && value <= max) return {};
  return invalid(name, " is ", value, ", but it must be ", min, " to ", max);
}

Result<void> check_number(const char* name, float value, float min, float max) {
  if (value >= min && value <= max) return {};
  return invalid(name, " is ", to_text(value), ", but it must be ", to_text(min), " to ", to_text(max));
}

Result<void> check_numbers(const Search& search) {
  constexpr int kMaxAnswers = static_cast<int>(kStepRows);
  for (const auto& checked : {check_count("beams", search.beams, 1, kMaxAnswers),
                              check_count("best_of", search.best_of, 0, kMaxAnswers),
                              check_count("beam groups", search.groups, 1, search.beams),
                              check_number("length_penalty", search.length_penalty, -10, 10),
                              check_number("diversity_penalty", search.diversity_penalty, 0, 1e6F),
                              check_number("penalty_alpha", search.penalty_alpha, 0, 1)}) {
    if (!checked) return checked;
  }
  if (search.beams % search.groups != 0) {
    return invalid("beam groups is ", search.groups, ", but it must divide the ", search.beams, " beams");
  }
  return {};
}

/// Checks combinations of options, and n_best.
Result<void> check_kind(const Request& request, const Search& search) {
  const bool best = search.best_of > 0, contrastive = search.penalty_alpha > 0;
  if (int{best} + int{contrastive} + int{search.beams > 1} > 1) {
    return invalid("a search has one of beams, best_of and penalty_alpha, not several");
  }
  if (search.diversity_penalty > 0 && search.groups == 1) {
    return invalid("diversity_penalty is ", to_text(search.diversity_penalty),
                   ", but there is one group of beams: it acts between groups");
  }
  if (auto n = check_count("n_best", search.n_best, 1,
                           best          ? search.best_of
                           : contrastive ? 1
                                         : search.beams);
      !n) {
    return n;
  }
  if (request.guidance_scale != 1)
    return invalid("guidance cannot be used in searches and ensembles: set guidance_scale to 1");
  if (request.explain > 0 || request.confidence || request.abstain.asks()) {
    return invalid("explanations, confidence and rules to abstain are for generate(), not for searches");
  }
  if (request.logprobs > 0) {
    return invalid("logprobs is ", request.logprobs,
                   ", but a search returns only those of its own tokens: set 0");
  }
  return {};
}

/// The same samplers at temperature 1 and without top_k, which contrastive search applies itself.
Sampling without_draws(Sampling sampling) {
  sampling.temperature = 1;
  sampling.top_k = 0;
  return sampling;
}

/// Beam search and contrastive search draw nothing: options of draws are refused, not ignored.
Result<void> check_sampling(const Request& request, const Search& search) {
  if (search.best_of > 0) return {};
  const Sampling& s = request.sampling;
  const std::string who = search.penalty_alpha > 0 ? "contrastive search" : "beam search";
  const auto refused = [&](const auto&... what) { return invalid(who, " draws nothing: ", what...); };
  if (s.temperature != 0 && s.temperature != 1) {
    return refused("temperature is ", to_text(s.temperature),
                   ", but it must be 1 or 0, which are the same to it");
  }
  if (s.top_p != 1) return refused("top_p is ", to_text(s.top_p), ", but it must be 1");
  if (s.min_p != 0) return refused("min_p is ", to_text(s.min_p), ", but it must be 0");
  if (search.penalty_alpha > 0) {
    constexpr int kMaxTopK = static_cast<int>(kStepRows);
    if (s.top_k < 2 || s.top_k > kMaxTopK) {
      return invalid("contrastive search chooses among top_k candidates: top_k is ", s.top_k,
                     ", but it must be 2 to ", kMaxTopK);
    }
  } else if (s.top_k != 0) {
    return refused("top_k is ", s.top_k, ", but it must be 0");
  }
  const auto chain = Chain::create(sampling_options(without_draws(s)));
  if (!chain) return chain.error();
  if (const std::string stage = chain->shapes_draws(); !stage.empty()) return refused(stage, " is for draws");
  if (search.penalty_alpha > 0 && !chain->empty()) {
    return invalid("contrastive search takes no samplers besides top_k, but these are asked for: ",
                   chain->describe());
  }
  return {};
}

Result<std::vector<Hypothesis>> run_search(SearchRun& run) {
  if (run.sequence().tokens_left() == 0) {  // nothing is wanted
    std::vector<Hypothesis> answers(1);
    answers[0].finish = Finish::kLength;
    return answers;
  }
  if (run.search.best_of > 0) return best_of(run);
  if (run.search.penalty_alpha > 0) return contrastive_search(run);
  return beam_search(run);
}

}  // namespace

namespace internal {

Error at_token(std::size_t position, const Error& error) {
  return at_place(error, "token ", position, " of the sequence");
}

Result<void> SearchRun::read_prompt(std::size_t end, float* hidden,
                                    const std::function<void(const float*)>& each) {
  const auto ids = sequence().prompt().first(end);
  const std::size_t width = model().info.hidden_size;
  std::vector<float> states;
  if (each) {
    session.cache.truncate(0);
    states.resize(std::min(ids.size(), kStepRows) * width);
  }
  while (session.cache.length() < end) {
    const auto start = std::chrono::steady_clock::now();
    auto read = session.scheduler.read_chunk(ids, ids.size(), session.cache,
                                             each ? Scheduler::Outputs::kAll : Scheduler::Outputs::kLast,
                                             each ? states.data() : hidden, session.cancelled());
    if (!read) return read.error();
    release_unseen(model(), session.cache);
    timing.prefill_tokens += *read;
    timing.prefill_s += seconds_since(start);
    for (std::size_t i = 0; each && i < *read; ++i) each(states.data() + i * width);
    if (each) std::copy_n(states.data() + (*read - 1) * width, width, hidden);
    if (session.progress) session.progress(session.cache.length(), end);
  }
  return {};
}

Result<void> SearchRun::step(std::span<KvSequence> caches, std::span<const TokenId> ids, float* hidden) {
  const auto start = std::chrono::steady_clock::now();
  chunks_.clear();
  for (std::size_t i = 0; i < caches.size(); ++i) {
    chunks_.push_back({&caches[i], ids.subspan(i, 1), Role::kGenerated, 1});
  }
  TRY(session.scheduler.engine().step(chunks_, hidden, session.cancelled()));
  for (KvSequence& cache : caches) cache.release_unseen();
  timing.decode_tokens += caches.size();
  timing.decode_s += seconds_since(start);
  return {};
}

double SearchRun::rank(double sum, std::size_t length) const {
  return sum / std::pow(static_cast<double>(length), static_cast<double>(search.length_penalty));
}

Hypothesis SearchRun::hypothesis(std::vector<TokenId> ids, std::vector<float> logprobs) const {
  Hypothesis h;
  StopFilter text = sequence().text();
  h.finish = Finish::kLength;
  for (const TokenId id : ids) {
    if (model().tokenizer->ends_generation(id)) {
      h.finish = Finish::kEos;
    } else {
      h.text += text.push(id);
    }
  }
  h.text += text.finish();
  if (text.stopped()) h.finish = Finish::kStop;
  h.sum_logprob = std::accumulate(logprobs.begin(), logprobs.end(), 0.0);
  h.score = rank(h.sum_logprob, ids.size());
  h.ids = std::move(ids);
  h.logprobs = std::move(logprobs);
  return h;
}

}  // namespace internal

Result<void> check(const Request& request, const Search& search) {
  return catch_all([&]() -> Result<void> {
    for (const auto& checked :
         {check_numbers(search), check_kind(request, search), check_sampling(request, search)}) {
      if (!checked) return checked;
    }
    return {};
  });
}

Result<SearchResult> Session::search(const Request& request, const Search& search) {
  return catch_all([&]() -> Result<SearchResult> {
    TRY(check(request, search));
    Request taken = request;
    if (search.best_of == 0) taken.sampling = without_draws(taken.sampling);
    auto sequence =
        Sequence::create(*impl_->model, taken, impl_->cache, nullptr, kNoLimit, impl_->cancelled());
    if (!sequence) return sequence.error();
    if (search.penalty_alpha > 0 && request.constraint != nullptr) {
      return invalid("contrastive search takes no constraint");
    }
    impl_->begin(std::move(*sequence));

    SearchRun run(*impl_, request, search);
    auto answers = run_search(run);
    if (!answers) return answers.error();
    SearchResult result;
    result.prompt_ids.assign(run.sequence().prompt().begin(), run.sequence().prompt().end());
    result.answers = std::move(*answers);
    result.timing = run.timing;
    return result;
  });
}

}  // namespace partita
