// Looking at a row on its way through a chain. For people: it costs several passes a view.
#pragma once

#include <optional>

#include "engine/kernels/kernels.h"
#include "partita/explain.hpp"
#include "partita/result.hpp"
#include "sampling/chain/candidates.h"

namespace partita {

/// The candidates as they are, with the `top` likeliest. Precondition: row.max() is finite.
StageView view_of(Candidates& row, const Kernels& kernels, std::string stage, std::size_t top);

/// Of the softmax of a row. Errors: those of Candidates::start.
Result<Confidence> confidence(const LogitRow& logits, const Kernels& kernels, Candidates& scratch);

/// Watches one row pass through a chain.
class Observer {
 public:
  /// `top`: how many candidates a view shows.
  explicit Observer(std::size_t top) : top_(top) {}

  /// After the stage of this description; the first call is before all of them.
  void see(Candidates& row, const Kernels& kernels, std::string stage);

  Explanation take() { return std::move(explanation_); }

 private:
  std::size_t top_;
  Explanation explanation_;
};

}  // namespace partita
