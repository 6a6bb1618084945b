// How long a step takes here: what the scheduler knows when it decides how much to put into one.
#pragma once

#include <cstddef>

namespace partita {

/// seconds = fixed + per_row * generated rows + per_prompt_row * prompt rows, learned as steps go by; older
/// ones count less. Decisions that rest on it change when a token comes, never which.
class StepCost {
 public:
  void learn(std::size_t generated, std::size_t prompt, double seconds);

  /// Of a step of generated rows alone; 0 when nothing is known.
  double decode(std::size_t rows) const { return fixed_ + per_row_ * static_cast<double>(rows); }
  /// Of one more generated row.
  double per_row() const { return per_row_; }
  /// Of a prompt row, or 0 when no step of several has been seen.
  double per_prompt_row() const { return per_prompt_row_; }

 private:
  void fit();

  // Sums over steps without prompts, of 1, rows, rows^2, seconds, rows * seconds.
  double n_ = 0, r_ = 0, rr_ = 0, t_ = 0, rt_ = 0;
  double fixed_ = 0, per_row_ = 0, per_prompt_row_ = 0;
};

}  // namespace partita
