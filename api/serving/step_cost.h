// A cost model of steps, learned from measured times: the planner uses it to choose the size of prompt chunks
// and of drafts.
#pragma once

#include <array>
#include <cstddef>

namespace partita::internal {

/// seconds = x[0] * f[0] + x[1] * f[1]. x is the least-squares fit over past steps, older ones weighing less,
/// and over one prior, x[1] = share * x[0], without which steps of one kind would leave x undetermined.
class CostFit {
 public:
  /// weight: of the prior, in squares of f[1].
  CostFit(double share, double weight) : share_(share), weight_(weight) {}
  void learn(const std::array<double, 2>& f, double seconds);
  bool known() const { return seen_; }
  double operator[](std::size_t i) const { return x_[i]; }

 private:
  const double share_, weight_;
  bool seen_ = false;
  double aa_ = 0, ab_ = 0, bb_ = 0, at_ = 0, bt_ = 0;  // decaying sums of products of f and seconds
  std::array<double, 2> x_ = {};
};

/// Rows of a step, as the sums that their time depends on.
struct StepRows {
  static constexpr double kFetchRows = 2;  // fetching a sequence's keys and values costs as much as two rows
  double count = 0;
  double attended_tokens = 0;  // over all rows, and kFetchRows times per sequence
  void add(std::size_t rows, std::size_t depth) {
    count += static_cast<double>(rows);
    attended_tokens += static_cast<double>(depth) * (static_cast<double>(rows) + kFetchRows);
  }
  StepRows operator+(const StepRows& more) const {
    return {count + more.count, attended_tokens + more.attended_tokens};
  }
};

/// A step of n rows of answers and r rows of prompts takes a + b n + p r + q attended_tokens (those of all
/// rows): reading the weights, the products of each row, its attention. For few answers, where memory
/// bandwidth limits the step, a + b n is replaced by what as many answers took recently.
///
/// Decisions based on it change when a token comes, never which.
class StepCost {
 public:
  void learn(const StepRows& answers, const StepRows& prompts, double seconds);

  bool knows_answers() const { return answers_.known(); }
  bool knows_prompts() const { return prompts_.known(); }
  double answers(const StepRows& rows) const;
  double prompts(const StepRows& rows) const {
    return prompts_[0] * rows.count + prompts_[1] * rows.attended_tokens;
  }
  /// How many prompt rows after `depth` tokens take `seconds`.
  double prompt_rows(double seconds, std::size_t depth) const;

 private:
  /// Average time and attended tokens of steps with a given number of answers.
  struct Observed {
    double seconds = 0, attended_tokens = 0;
  };
  Observed typical(double count) const;

  CostFit answers_{0.15, 20}, prompts_{5e-4, 1e6};
  std::array<Observed, 17> few_ = {};  // [answers]; 0 seconds: not measured yet
};

}  // namespace partita::internal
