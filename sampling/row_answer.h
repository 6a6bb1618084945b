// A question about one row, answered from all of its logits.
#pragma once

#include "sampling/candidates.h"
#include "sampling/head.h"

namespace partita {

/// Question::hidden is not looked at: `logits` [vocab] stand for it. Log-probabilities are those of the row.
/// Errors: kBadNumbers naming the entry or the stage; kInvalidArgument for an id to score outside the
/// vocabulary.
Result<Answer> answer_row(const Question& question, const LogitRow& logits, const Kernels& kernels,
                          Candidates& scratch);

}  // namespace partita
