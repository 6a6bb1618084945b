// The likeliest continuations of a beam after logits processors.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "sampling/chain/chain.h"
#include "sampling/search/beams.h"

namespace partita::internal {

/// Buffers of likeliest_after(), reused between calls.
struct ContinuationScratch {
  std::vector<float> scores;  // [vocab]
  Candidates row;
};

/// The k best continuations after the chain's stages. The stages are applied to the row of log-probabilities,
/// as transformers' beam search applies its processors; their result is not normalised again. logits:
/// [vocab]. Errors: kBadNumbers naming the entry or the stage.
Result<void> likeliest_after(const Chain& chain, std::span<const float> logits, const StageContext& context,
                             const ChainState* state, std::size_t k, ContinuationScratch& scratch,
                             std::vector<Continuation>& out);

}  // namespace partita::internal
