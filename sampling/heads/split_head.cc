#include "sampling/heads/split_head.h"

#include <cmath>
#include <utility>

namespace partita::internal {
namespace {

/// Questions that one of the two heads answers.
struct Part {
  std::vector<std::size_t> indices;  // among all questions
  std::vector<Question> questions;
  std::vector<Result<Answer>> answers;

  void clear() {
    indices.clear();
    questions.clear();
  }
  void add(std::size_t index, const Question& question) {
    indices.push_back(index);
    questions.push_back(question);
  }
  void reserve(std::size_t n) {
    indices.reserve(n);
    questions.reserve(n);
    answers.reserve(n);
  }
};

class SplitScratch : public HeadScratch {
 public:
  std::unique_ptr<HeadScratch> for_few, for_full;
  Part few, full;
  std::vector<std::pair<std::size_t, std::size_t>> both;  // questions by their index, and in `few`
  std::vector<std::vector<std::int32_t>> scores;          // of those, with the chosen id last
};

/// The question without its choice; `score` ends with the chosen id. An explanation keeps the chain, since it
/// shows how the stages filter the full row.
Question rest_of(const Question& question, std::span<const std::int32_t> score) {
  Question rest = question;
  if (question.explain <= 0) rest.chain = nullptr;
  rest.chosen_logprob = false;
  rest.score = score;
  return rest;
}

/// `full` answered rest_of(question), `few` chose.
Answer merge(const Question& question, const Answer& few, Answer full) {
  full.choice = few.choice;
  full.head_bytes += few.head_bytes;
  const float logprob = full.score.back();
  full.score.pop_back();
  if (question.chosen_logprob) full.logprob = logprob;
  if (question.chosen_logprob || question.explain > 0) full.choice.probability = std::exp(logprob);
  return full;
}

}  // namespace

std::unique_ptr<HeadScratch> SplitHead::make_scratch(std::size_t max_rows, int threads) const {
  auto scratch = std::make_unique<SplitScratch>();
  scratch->for_full = full_->make_scratch(max_rows, threads);
  scratch->for_few = make_few_scratch(max_rows, threads);
  if (scratch->for_full == nullptr || scratch->for_few == nullptr) return nullptr;
  scratch->few.reserve(max_rows);
  scratch->full.reserve(max_rows);
  return scratch;
}

void SplitHead::logits(const float* hidden, std::size_t rows, const AdapterSet* adapters,
                       HeadScratch& scratch, float* out) const {
  full_->logits(hidden, rows, adapters, *static_cast<SplitScratch&>(scratch).for_full, out);
}

void SplitHead::answer(std::span<const Question> questions, HeadScratch& head_scratch,
                       std::span<Result<Answer>> answers) const {
  auto& scratch = static_cast<SplitScratch&>(head_scratch);
  scratch.few.clear();
  scratch.full.clear();
  scratch.both.clear();
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const Route chosen_route = questions[i].adapters != nullptr ? Route::kFullRow : route(questions[i]);
    if (chosen_route == Route::kFullRow) {
      scratch.full.add(i, questions[i]);
    } else {
      if (chosen_route == Route::kFewAndFullRow) scratch.both.emplace_back(i, scratch.few.indices.size());
      scratch.few.add(i, chosen_route == Route::kFewLogits ? questions[i] : choice_of(questions[i]));
    }
  }
  if (!scratch.few.indices.empty()) {
    scratch.few.answers.assign(scratch.few.indices.size(), Result<Answer>(Answer{}));
    answer_few(scratch.few.questions, *scratch.for_few, scratch.few.answers);
  }
  for (std::size_t i = 0; i < scratch.few.indices.size(); ++i) {
    const Result<Answer>& answer = scratch.few.answers[i];
    if (answer && answer->choice.id == kUndecided) {
      scratch.full.add(scratch.few.indices[i], questions[scratch.few.indices[i]]);
    }
  }
  scratch.scores.resize(scratch.both.size());
  for (std::size_t i = 0; i < scratch.both.size(); ++i) {
    const auto [index, few] = scratch.both[i];
    const Result<Answer>& chosen = scratch.few.answers[few];
    if (!chosen) continue;
    scratch.scores[i].assign(questions[index].score.begin(), questions[index].score.end());
    scratch.scores[i].push_back(chosen->choice.id);
    scratch.full.add(index, rest_of(questions[index], scratch.scores[i]));
  }
  if (!scratch.full.indices.empty()) {
    scratch.full.answers.assign(scratch.full.indices.size(), Result<Answer>(Answer{}));
    full_->answer(scratch.full.questions, *scratch.for_full, scratch.full.answers);
  }
  for (std::size_t i = 0; i < scratch.full.indices.size(); ++i) {
    answers[scratch.full.indices[i]] = std::move(scratch.full.answers[i]);
  }
  for (const auto& [index, few] : scratch.both) {
    Result<Answer>& chosen = scratch.few.answers[few];
    if (chosen && answers[index])
      chosen = merge(questions[index], *chosen, *std::move(answers[index]));
    else if (chosen)
      chosen = answers[index].error();
  }
  for (std::size_t i = 0; i < scratch.few.indices.size(); ++i) {
    Result<Answer>& answer = scratch.few.answers[i];
    Result<Answer>& to = answers[scratch.few.indices[i]];
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

}  // namespace partita::internal
