#include "api/step_cost.h"

#include <algorithm>
#include <limits>

namespace partita {
namespace {

constexpr double kMemory = 0.95;  // what a step counts after one more
constexpr double kSurprise = 4;   // a step that takes so many times what was expected was held up

}  // namespace

void CostFit::learn(const std::array<double, 2>& f, double seconds) {
  if (seen_) seconds = std::min(seconds, kSurprise * (x_[0] * f[0] + x_[1] * f[1]));
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

void StepCost::learn(std::size_t answers, const Prompts& prompts, double seconds) {
  if (prompts.rows > 0) {
    const double rest = answers > 0 ? std::max(seconds - this->answers(answers), 0.0) : seconds;
    prompts_.learn({prompts.rows, prompts.reach}, rest);
    return;
  }
  answers_.learn({1, static_cast<double>(answers)}, seconds);
  if (answers >= few_.size()) return;
  double& few = few_[answers];
  few = few == 0 ? seconds : few + (std::min(seconds, kSurprise * few) - few) / 8;
}

double StepCost::answers(std::size_t rows) const {
  if (rows < few_.size() && few_[rows] > 0) return few_[rows];
  return answers_[0] + answers_[1] * static_cast<double>(rows);
}

double StepCost::prompt_rows(double seconds, std::size_t depth) const {
  const double reach = prompts_[1] * static_cast<double>(depth);
  const double each = prompts_[0] + reach;
  return each > 0 ? std::max(seconds - Prompts::kFetch * reach, 0.0) / each
                  : std::numeric_limits<double>::infinity();
}

}  // namespace partita
