#include "api/serving/step_cost.h"

#include <algorithm>
#include <limits>

namespace partita::internal {
namespace {

constexpr double kMemory = 0.95;  // the weight of a step after one more
constexpr double kOutlier =
    4;  // times the expected; a longer step was delayed by other programs, and is capped
constexpr double kFewMemory = 8;  // steps in an average of few_

}  // namespace

void CostFit::learn(const std::array<double, 2>& f, double seconds) {
  const double expected = x_[0] * f[0] + x_[1] * f[1];
  if (expected > 0) seconds = std::min(seconds, kOutlier * expected);
  seen_ = true;
  for (double* sum : {&aa_, &ab_, &bb_, &at_, &bt_}) *sum *= kMemory;
  aa_ += f[0] * f[0];
  ab_ += f[0] * f[1];
  bb_ += f[1] * f[1];
  at_ += f[0] * seconds;
  bt_ += f[1] * seconds;
  const double a = aa_ + weight_ * share_ * share_, b = ab_ - weight_ * share_, c = bb_ + weight_;
  const double determinant = a * c - b * b;
  x_ = {std::max((c * at_ - b * bt_) / determinant, 0.0), std::max((a * bt_ - b * at_) / determinant, 0.0)};
}

void StepCost::learn(const StepRows& answers, const StepRows& prompts, double seconds) {
  if (prompts.count > 0) {
    const Observed without = answers.count > 0 ? typical(answers.count) : Observed{};
    prompts_.learn(
        {prompts.count,
         std::max(prompts.attended_tokens + answers.attended_tokens - without.attended_tokens, 0.0)},
        std::max(seconds - without.seconds, 0.0));
    return;
  }
  answers_.learn({1, answers.count}, std::max(seconds - prompts_[1] * answers.attended_tokens, 0.0));
  const auto count = static_cast<std::size_t>(answers.count);
  if (count >= few_.size()) return;
  Observed& few = few_[count];
  if (few.seconds == 0) {
    few = {seconds, answers.attended_tokens};
  } else {
    few.seconds += (std::min(seconds, kOutlier * few.seconds) - few.seconds) / kFewMemory;
    few.attended_tokens += (answers.attended_tokens - few.attended_tokens) / kFewMemory;
  }
}

StepCost::Observed StepCost::typical(double count) const {
  const auto few = static_cast<std::size_t>(count);
  if (few < few_.size() && few_[few].seconds > 0) return few_[few];
  return {answers_[0] + answers_[1] * count, 0};
}

double StepCost::answers(const StepRows& rows) const {
  const Observed observed = typical(rows.count);
  return std::max(observed.seconds + prompts_[1] * (rows.attended_tokens - observed.attended_tokens), 0.0);
}

double StepCost::prompt_rows(double seconds, std::size_t depth) const {
  const double attention = prompts_[1] * static_cast<double>(depth);
  const double each = prompts_[0] + attention;
  return each > 0 ? std::max(seconds - StepRows::kFetchRows * attention, 0.0) / each
                  : std::numeric_limits<double>::infinity();
}

}  // namespace partita::internal
