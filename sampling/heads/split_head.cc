#include "sampling/heads/split_head.h"

#include <cmath>
#include <utility>

namespace partita {
namespace {

/// Questions that one of the two heads answers.
struct Part {
  std::vector<std::size_t> places;  // among all questions
  std::vector<Question> questions;
  std::vector<Result<Answer>> answers;

  void clear() {
    places.clear();
    questions.clear();
  }
  void add(std::size_t place, const Question& question) {
    places.push_back(place);
    questions.push_back(question);
  }
  void reserve(std::size_t n) {
    places.reserve(n);
    questions.reserve(n);
    answers.reserve(n);
  }
};

class SplitScratch : public HeadScratch {
 public:
  std::unique_ptr<HeadScratch> for_few, for_whole;
  Part few, whole;
  std::vector<std::pair<std::size_t, std::size_t>> both;  // questions by their place, and in `few`
  std::vector<std::vector<std::int32_t>> scores;          // of those, with what was chosen
};

/// All but the choice, whose log-probability is asked for behind the scores of `score`. An explanation is one
/// of how a whole row is cut down.
Question rest_of(const Question& question, std::span<const std::int32_t> score) {
  Question rest = question;
  if (question.explain <= 0) rest.chain = nullptr;
  rest.chosen_logprob = false;
  rest.score = score;
  return rest;
}

/// `whole` answered rest_of(question), `few` chose.
Answer merge(const Question& question, const Answer& few, Answer whole) {
  whole.choice = few.choice;
  whole.head_bytes += few.head_bytes;
  const float logprob = whole.score.back();
  whole.score.pop_back();
  if (question.chosen_logprob) whole.logprob = logprob;
  if (question.chosen_logprob || question.explain > 0) whole.choice.probability = std::exp(logprob);
  return whole;
}

}  // namespace

std::unique_ptr<HeadScratch> SplitHead::make_scratch(std::size_t max_rows, int threads) const {
  auto scratch = std::make_unique<SplitScratch>();
  scratch->for_whole = whole_->make_scratch(max_rows, threads);
  scratch->for_few = make_few_scratch(max_rows, threads);
  if (scratch->for_whole == nullptr || scratch->for_few == nullptr) return nullptr;
  scratch->few.reserve(max_rows);
  scratch->whole.reserve(max_rows);
  return scratch;
}

void SplitHead::logits(const float* hidden, std::size_t rows, HeadScratch& scratch, float* out) const {
  whole_->logits(hidden, rows, *static_cast<SplitScratch&>(scratch).for_whole, out);
}

void SplitHead::answer(std::span<const Question> questions, HeadScratch& head_scratch,
                       std::span<Result<Answer>> answers) const {
  auto& scratch = static_cast<SplitScratch&>(head_scratch);
  scratch.few.clear();
  scratch.whole.clear();
  scratch.both.clear();
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const Way how = way(questions[i]);
    if (how == Way::kWhole) {
      scratch.whole.add(i, questions[i]);
    } else {
      if (how == Way::kFewAndWhole) scratch.both.emplace_back(i, scratch.few.places.size());
      scratch.few.add(i, how == Way::kFew ? questions[i] : choice_of(questions[i]));
    }
  }
  if (!scratch.few.places.empty()) {
    scratch.few.answers.assign(scratch.few.places.size(), Result<Answer>(Answer{}));
    answer_few(scratch.few.questions, *scratch.for_few, scratch.few.answers);
  }
  for (std::size_t i = 0; i < scratch.few.places.size(); ++i) {
    const Result<Answer>& answer = scratch.few.answers[i];
    if (answer && answer->choice.id == kUndecided) {
      scratch.whole.add(scratch.few.places[i], questions[scratch.few.places[i]]);
    }
  }
  scratch.scores.resize(scratch.both.size());
  for (std::size_t i = 0; i < scratch.both.size(); ++i) {
    const auto [place, few] = scratch.both[i];
    const Result<Answer>& chosen = scratch.few.answers[few];
    if (!chosen) continue;
    scratch.scores[i].assign(questions[place].score.begin(), questions[place].score.end());
    scratch.scores[i].push_back(chosen->choice.id);
    scratch.whole.add(place, rest_of(questions[place], scratch.scores[i]));
  }
  if (!scratch.whole.places.empty()) {
    scratch.whole.answers.assign(scratch.whole.places.size(), Result<Answer>(Answer{}));
    whole_->answer(scratch.whole.questions, *scratch.for_whole, scratch.whole.answers);
  }
  for (std::size_t i = 0; i < scratch.whole.places.size(); ++i) {
    answers[scratch.whole.places[i]] = std::move(scratch.whole.answers[i]);
  }
  for (const auto& [place, few] : scratch.both) {
    Result<Answer>& chosen = scratch.few.answers[few];
    if (chosen && answers[place])
      chosen = merge(questions[place], *chosen, *std::move(answers[place]));
    else if (chosen)
      chosen = answers[place].error();
  }
  for (std::size_t i = 0; i < scratch.few.places.size(); ++i) {
    Result<Answer>& answer = scratch.few.answers[i];
    Result<Answer>& to = answers[scratch.few.places[i]];
    if (answer && answer->choice.id == kUndecided) {
      if (to) to->head_bytes += answer->head_bytes;
    } else {
      to = std::move(answer);
    }
  }
}

bool asks_for_more(const Question& q) {
  return q.top > 0 || !q.rank.empty() || q.confidence || q.explain > 0 || q.chosen_logprob;
}

Question choice_of(const Question& question) {
  Question choice = question;
  choice.score = choice.rank = {};
  choice.top = choice.explain = 0;
  choice.confidence = choice.chosen_logprob = false;
  return choice;
}

}  // namespace partita
