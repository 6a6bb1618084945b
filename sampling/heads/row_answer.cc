#include "sampling/heads/row_answer.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/kernels/dispatch.h"
#include "sampling/softmax/softmax.h"
#include "sampling/stages/top_k.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// A row and its normalizer.
struct LogProbabilities {
  LogitRow row;
  LogPartition partition;
  float of(std::int32_t id) const {
    return partition.log_probability(row.logits[static_cast<std::size_t>(id)]);
  }
};

/// The k largest, likeliest first. Precondition: log_partition() accepted the row.
std::vector<std::pair<std::int32_t, float>> likeliest(const LogProbabilities& logprobs, std::size_t k,
                                                      const Kernels& kernels, Candidates& row) {
  std::vector<std::pair<std::int32_t, float>> top;
  if (!row.start(logprobs.row, kernels)) return top;  // not reached: log_partition() accepted the row
  keep_top_k(row, k);
  top.reserve(row.count());
  for (std::size_t i = 0; i < row.count(); ++i) {
    if (!std::isinf(row.values()[i])) top.emplace_back(row.id(i), row.values()[i]);
  }
  // By logit: two different logits can have the same log-probability in float.
  std::sort(top.begin(), top.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  for (auto& [id, value] : top) value = logprobs.of(id);
  return top;
}

/// 1 for the largest logit; the lower id ranks first in a tie.
std::int32_t rank_of(std::int32_t id, std::span<const float> logits) {
  const auto own = static_cast<std::size_t>(id);
  const float value = logits[own];
  std::int32_t rank = 1;
  for (std::size_t i = 0; i < own; ++i) rank += logits[i] >= value ? 1 : 0;
  for (std::size_t i = own + 1; i < logits.size(); ++i) rank += logits[i] > value ? 1 : 0;
  return rank;
}

}  // namespace

Result<void> check_scored(std::int32_t id, std::size_t vocab) {
  if (id >= 0 && static_cast<std::size_t>(id) < vocab) return {};
  return invalid("the id to score is ", id, ", but the ids of the vocabulary are 0 to ", vocab - 1);
}

Result<Answer> answer_row(const Question& question, const LogitRow& own, const LogitRow& offered,
                          const Kernels& kernels, Candidates& row) {
  Answer answer;
  if (question.chain != nullptr) {
    std::optional<Observer> observer;
    if (question.explain > 0) observer.emplace(static_cast<std::size_t>(question.explain));
    const Result<Choice> chosen = question.chain->choose(
        offered,
        {question.history, question.prompt_size, question.key, &kernels, observer ? &*observer : nullptr,
         question.explain > 0 || question.chosen_logprob},
        question.state, row);
    if (!chosen) return chosen.error();
    answer.choice = *chosen;
    if (observer) answer.explanation = observer->take();
  }
  if (question.confidence) {
    const Result<Confidence> sure = confidence(own, kernels, row);
    if (!sure) return sure.error();
    answer.confidence = *sure;
  }
  for (const std::int32_t id : question.rank) answer.rank.push_back(rank_of(id, own.logits));
  const bool of_chosen = question.chosen_logprob && question.chain != nullptr;
  if (!of_chosen && question.score.empty() && question.top <= 0) return answer;

  const Result<LogPartition> partition = log_partition(own.logits, kernels);
  if (!partition) return partition.error();
  const LogProbabilities logprobs{own, *partition};
  if (of_chosen) answer.logprob = logprobs.of(answer.choice.id);
  const std::size_t vocab = own.logits.size();
  for (const std::int32_t id : question.score) {
    TRY(check_scored(id, vocab));
    answer.score.push_back(logprobs.of(id));
  }
  if (question.top > 0) {
    answer.top = likeliest(logprobs, static_cast<std::size_t>(question.top), kernels, row);
  }
  return answer;
}

}  // namespace partita::internal
