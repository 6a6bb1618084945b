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

/// Decisions that rest on it change when a token comes, never which.
///
/// A step of n rows of answers takes a + b n, reading the weights and each row's part; of few rows, what it
/// took lately, for up to some number of rows the memory is what takes the time. r prompt rows that follow d
/// tokens take p r + q d (r + 2) besides: their products, the attention of each to what is before it, and
/// fetching that once, which is worth some two rows.
class StepCost {
 public:
  /// The prompt rows of a step, as the sums that their time depends on.
  struct Prompts {
    static constexpr double kFetch = 2;
    double rows = 0, reach = 0;
    void add(std::size_t count, std::size_t depth) {
      rows += static_cast<double>(count);
      reach += static_cast<double>(depth) * (static_cast<double>(count) + kFetch);
    }
  };

  void learn(std::size_t answers, const Prompts& prompts, double seconds);

  bool knows_answers() const { return answers_.known(); }
  bool knows_prompts() const { return prompts_.known(); }
  double answers(std::size_t rows) const;
  double prompts(const Prompts& p) const { return prompts_[0] * p.rows + prompts_[1] * p.reach; }
  /// How many prompt rows after `depth` tokens take so long.
  double prompt_rows(double seconds, std::size_t depth) const;

 private:
  CostFit answers_{0.15, 20}, prompts_{5e-4, 1e6};
  std::array<double, 17> few_ = {};  // seconds of steps of so many rows; 0: not seen yet
};

}  // namespace partita
