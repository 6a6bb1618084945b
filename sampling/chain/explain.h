// Explanations of a choice (--explain): records a row after each stage of a chain. Each record costs several
// passes over the row.
#pragma once

#include <optional>

#include "engine/kernels/kernels.h"
#include "partita/explain.hpp"
#include "partita/result.hpp"
#include "sampling/chain/candidates.h"

namespace partita::internal {

/// The current candidates, with the `top` likeliest. Precondition: row.max() is finite.
StageView view_of(Candidates& row, const Kernels& kernels, std::string stage, std::size_t top);

/// Confidence of the softmax of a row. Errors: those of Candidates::start.
Result<Confidence> confidence(const LogitRow& logits, const Kernels& kernels, Candidates& scratch);

/// Records one row after each stage of a chain.
class Observer {
 public:
  /// top: the number of candidates in each view.
  explicit Observer(std::size_t top) : top_(top) {}

  /// Records the row after the stage with this description. The first call comes before all stages.
  void record(Candidates& row, const Kernels& kernels, std::string stage);

  Explanation take() { return std::move(explanation_); }

 private:
  std::size_t top_;
  Explanation explanation_;
};

}  // namespace partita::internal
