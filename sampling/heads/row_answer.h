// Answers a question from the full row of its logits.
#pragma once

#include "sampling/chain/candidates.h"
#include "sampling/heads/head.h"

namespace partita::internal {

/// Does not read Question::hidden but `own` [vocab], the model's logits. The chain chooses from `offered`,
/// which is `own` or derived from it; all other results are of `own`. Errors: kBadNumbers naming the entry or
/// the stage; kInvalidArgument for an id to score outside the vocabulary.
Result<Answer> answer_row(const Question& question, const LogitRow& own, const LogitRow& offered,
                          const Kernels& kernels, Candidates& scratch);

/// Error: kInvalidArgument if the id is outside the vocabulary.
Result<void> check_scored(std::int32_t id, std::size_t vocab);

}  // namespace partita::internal
