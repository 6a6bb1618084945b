// A question about one row, answered from all of its logits.
#pragma once

#include "sampling/chain/candidates.h"
#include "sampling/heads/head.h"

namespace partita {

/// Question::hidden is not looked at: `own` [vocab], the model's logits, stand for it. The chain chooses from
/// `offered`, which is `own` or what was made of it; all else is said of `own`.
/// Errors: kBadNumbers naming the entry or the stage; kInvalidArgument for an id to score outside the
/// vocabulary.
Result<Answer> answer_row(const Question& question, const LogitRow& own, const LogitRow& offered,
                          const Kernels& kernels, Candidates& scratch);

/// Errors: kInvalidArgument for an id to score outside the vocabulary.
Result<void> check_scored(std::int32_t id, std::size_t vocab);

}  // namespace partita
