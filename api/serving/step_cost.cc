#include "api/serving/step_cost.h"

#include <algorithm>
#include <limits>

namespace partita {
namespace {

constexpr double kMemory = 0.95;  // what a step counts after one more
constexpr double kSurprise = 4;   // a step that takes so many times what was expected was held up
constexpr double kFewMemory = 8;  // steps of few answers that are remembered

}  // namespace

void CostFit::learn(const std::array<double, 2>& f, double seconds) {
  const double expected = x_[0] * f[0] + x_[1] * f[1];
  if (expected > 0) seconds = std::min(seconds, kSurprise * expected);
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
    const Seen without = answers.count > 0 ? usual(answers.count) : Seen{};
    prompts_.learn({prompts.count, std::max(prompts.reach + answers.reach - without.reach, 0.0)},
                   std::max(seconds - without.seconds, 0.0));
    return;
  }
  answers_.learn({1, answers.count}, std::max(seconds - prompts_[1] * answers.reach, 0.0));
  const auto count = static_cast<std::size_t>(answers.count);
  if (count >= few_.size()) return;
  Seen& few = few_[count];
  if (few.seconds == 0) {
    few = {seconds, answers.reach};
  } else {
    few.seconds += (std::min(seconds, kSurprise * few.seconds) - few.seconds) / kFewMemory;
    few.reach += (answers.reach - few.reach) / kFewMemory;
  }
}

StepCost::Seen StepCost::usual(double count) const {
  const auto few = static_cast<std::size_t>(count);
  if (few < few_.size() && few_[few].seconds > 0) return few_[few];
  return {answers_[0] + answers_[1] * count, 0};
}

double StepCost::answers(const StepRows& rows) const {
  const Seen seen = usual(rows.count);
  return std::max(seen.seconds + prompts_[1] * (rows.reach - seen.reach), 0.0);
}

double StepCost::prompt_rows(double seconds, std::size_t depth) const {
  const double reach = prompts_[1] * static_cast<double>(depth);
  const double each = prompts_[0] + reach;
  return each > 0 ? std::max(seconds - StepRows::kFetch * reach, 0.0) / each
                  : std::numeric_limits<double>::infinity();
}

}  // namespace partita
