#include "api/step_cost.h"

#include <algorithm>

namespace partita {
namespace {

constexpr double kMemory = 0.95;  // what a step counts after one more
constexpr double kShare = 0.3;    // per_row / fixed, as long as steps say nothing about it
constexpr double kBelief = 20;    // in that share, in rows squared
constexpr double kSurprise = 4;   // a step that takes so many times what was expected was held up

}  // namespace

void StepCost::learn(std::size_t generated, std::size_t prompt, double seconds) {
  const double rows = static_cast<double>(generated);
  if (prompt > 0) {
    const double each =
        std::max(seconds - (generated > 0 ? decode(generated) : 0.0), 0.0) / static_cast<double>(prompt);
    per_prompt_row_ = per_prompt_row_ == 0 ? each : per_prompt_row_ + (each - per_prompt_row_) / 4;
    return;
  }
  if (n_ > 0) seconds = std::min(seconds, kSurprise * decode(generated));
  for (double* sum : {&n_, &r_, &rr_, &t_, &rt_}) *sum *= kMemory;
  n_ += 1;
  r_ += rows;
  rr_ += rows * rows;
  t_ += seconds;
  rt_ += rows * seconds;
  fit();
}

/// Least squares of n + 1 terms: the steps, and kBelief (per_row - kShare fixed)^2, without which steps of
/// one size would say nothing.
void StepCost::fit() {
  const double a = n_ + kBelief * kShare * kShare, b = r_ - kBelief * kShare, c = rr_ + kBelief;
  const double determinant = a * c - b * b;
  fixed_ = std::max((c * t_ - b * rt_) / determinant, 0.0);
  per_row_ = std::max((a * rt_ - b * t_) / determinant, 0.0);
}

}  // namespace partita
