// How long a step takes here: what decides how much is put into one.
#pragma once

#include <array>
#include <cstddef>

namespace partita {

/// seconds = x[0] * f[0] + x[1] * f[1], x learned from steps as they go by, older ones counting less.
/// Least squares over them and one belief, x[1] = share * x[0], without which steps of one kind would say
/// nothing.
class CostFit {
 public:
  /// weight: of the belief, in squares of f[1].
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
  static constexpr double kFetch = 2;
  double count = 0;
  double reach = 0;  // what they attend to, and fetching that once per sequence, which is worth some two rows
  void add(std::size_t rows, std::size_t depth) {
    count += static_cast<double>(rows);
    reach += static_cast<double>(depth) * (static_cast<double>(rows) + kFetch);
  }
  StepRows operator+(const StepRows& more) const { return {count + more.count, reach + more.reach}; }
};

/// Decisions that rest on it change when a token comes, never which.
///
/// A step of n rows of answers and r of prompts takes a + b n + p r + q reach, the reach that of both:
/// reading the weights, the products of each row, its attention to what is before it. Of few answers, a + b n
/// is what they took lately, for up to some number of rows the memory is what takes the time.
class StepCost {
 public:
  void learn(const StepRows& answers, const StepRows& prompts, double seconds);

  bool knows_answers() const { return answers_.known(); }
  bool knows_prompts() const { return prompts_.known(); }
  double answers(const StepRows& rows) const;
  double prompts(const StepRows& rows) const { return prompts_[0] * rows.count + prompts_[1] * rows.reach; }
  /// How many prompt rows after `depth` tokens take so long.
  double prompt_rows(double seconds, std::size_t depth) const;

 private:
  /// Steps of so many answers: what they took, with which reach.
  struct Seen {
    double seconds = 0, reach = 0;
  };
  Seen usual(double count) const;

  CostFit answers_{0.15, 20}, prompts_{5e-4, 1e6};
  std::array<Seen, 17> few_ = {};  // of 0 seconds: not seen yet
};

}  // namespace partita
