// Speculative decoding with a draft model: a smaller model of the same vocabulary.
#pragma once

#include <memory>
#include <vector>

#include "api/serving/drafter.h"
#include "api/serving/model_runtime.h"
#include "api/serving/sequence.h"

namespace partita::internal {

/// A draft model and its cache, for the sequences of one thread.
struct DraftRuntime : ModelRuntime {
  explicit DraftRuntime(std::shared_ptr<const LoadedModel> opened)
      : ModelRuntime(std::move(opened)), hidden(model->info.hidden_size) {}

  std::vector<float> hidden;  // [hidden_size]
};

/// Draws as the sequence does, with the same chain and keys, from the draft model's logits: where the two
/// models agree, the draws are the same. It stops drafting while that takes more time than it saves, and
/// tries again every 64 calls. Precondition: the sequence speculates (its drafter is not null).
std::unique_ptr<Drafter> make_model_drafter(std::shared_ptr<DraftRuntime> runtime, const Sequence& sequence);

}  // namespace partita::internal
