// Best of n: n answers of one request are drawn in one batch, each with the sequence number that it would
// have alone, and ranked by the model's own log-probabilities.
#include <algorithm>
#include <memory>

#include "api/search/search.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

struct Draw {
  explicit Draw(KvSequence forked) : cache(std::move(forked)) {}
  KvSequence cache;
  std::optional<Sequence> sequence;
  Hypothesis answer;
};

/// The n draws. Their caches share all of the prompt but its last token.
Result<std::vector<std::unique_ptr<Draw>>> make_draws(const SearchRun& run) {
  Request request = run.request;
  request.prompt.clear();
  request.messages.clear();
  request.ids.assign(run.sequence().prompt().begin(), run.sequence().prompt().end());
  request.logprobs = 0;
  std::vector<std::unique_ptr<Draw>> draws;
  for (int i = 0; i < run.search.best_of; ++i) {
    draws.push_back(std::make_unique<Draw>(run.session.cache.fork()));
    auto sequence = Sequence::create(run.model(), request, draws.back()->cache, nullptr, kNoLimit,
                                     run.session.cancelled());
    if (!sequence) return sequence.error();
    draws.back()->sequence.emplace(std::move(*sequence));
    ++request.sampling.sequence;
  }
  return draws;
}

Result<void> draw_all(SearchRun& run, std::span<const std::unique_ptr<Draw>> draws) {
  std::vector<Draw*> running;
  std::vector<Sequence*> stepping;
  std::vector<Outcome> outcomes;
  for (const auto& draw : draws) running.push_back(draw.get());
  while (!running.empty()) {
    stepping.clear();
    outcomes.clear();
    for (Draw* draw : running) stepping.push_back(&*draw->sequence);
    auto done = run.session.scheduler.step(stepping, run.session.cancelled(), run.timing, outcomes);
    if (!done) return done;
    for (Outcome& outcome : outcomes) {
      if (!outcome.token) return outcome.token.error();
      Hypothesis& answer = running[outcome.index]->answer;
      answer.ids.push_back(outcome.token->id);
      answer.logprobs.push_back(outcome.token->logprob);
      answer.sum_logprob += static_cast<double>(outcome.token->logprob);
      answer.text += outcome.token->text;
    }
    for (Draw* draw : running) {
      draw->answer.finish = draw->sequence->finish();
      if (draw->answer.finish == Finish::kNone) {
        draw->cache.release_unseen();
      } else {
        draw->cache.truncate(0);  // frees its pages for the others
      }
    }
    std::erase_if(running, [](const Draw* draw) { return draw->answer.finish != Finish::kNone; });
  }
  return {};
}

}  // namespace

Result<std::vector<Hypothesis>> best_of(SearchRun& run) {
  std::vector<float> unused(run.model().info.hidden_size);
  const std::size_t prompt = run.sequence().prompt().size();
  TRY(run.read_prompt(prompt - 1, unused.data()));
  run.session.scheduler.grow(static_cast<std::size_t>(run.search.best_of));
  auto draws = make_draws(run);
  if (!draws) return draws.error();
  TRY(draw_all(run, *draws));

  std::vector<Hypothesis> answers;
  for (const auto& draw : *draws) {
    draw->answer.score = run.rank(draw->answer.sum_logprob, draw->answer.ids.size());
    answers.push_back(std::move(draw->answer));
  }
  std::stable_sort(answers.begin(), answers.end(),
                   [](const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; });
  answers.resize(static_cast<std::size_t>(run.search.n_best));
  return answers;
}

}  // namespace partita::internal
