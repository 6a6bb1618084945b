// A smaller model that guesses.
#pragma once

#include <memory>
#include <vector>

#include "api/serving/drafter.h"
#include "api/serving/model_runtime.h"
#include "sampling/chain/chain.h"

namespace partita {

/// Its side, for the sequences of one thread.
struct DraftLane : Lane {
  explicit DraftLane(std::shared_ptr<const Model::Impl> opened)
      : Lane(std::move(opened)), hidden(model->info.hidden_size) {}

  std::vector<float> hidden;  // [hidden_size]
};

/// Draws as the sequence does, by the same chain under the same keys, from the smaller model's logits: where
/// the two models agree, so do the draws. Guesses nothing while that takes more time than it saves, and tries
/// again from time to time. chain: one that remembers nothing; key: of the sequence's first position.
std::unique_ptr<Drafter> make_model_drafter(std::shared_ptr<DraftLane> lane, const Chain& chain, DrawKey key,
                                            std::size_t prompt_size);

}  // namespace partita
