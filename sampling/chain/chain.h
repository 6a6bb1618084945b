// The sampler chain: logits processors and filters (stages), applied in a given order, and the draw of a
// token. Each stage has its own file in stages/.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "partita/result.hpp"
#include "sampling/chain/candidates.h"
#include "sampling/chain/choice.h"
#include "sampling/chain/options.h"
#include "sampling/stages/stage.h"
#include "sampling/vocabulary.h"

namespace partita::internal {

/// State of a chain for one sequence. A copy serves a fork of the sequence.
class ChainState {
 public:
  ChainState() = default;
  ChainState(const ChainState& other);
  ChainState(ChainState&&) noexcept = default;
  ChainState& operator=(const ChainState& other) { return *this = ChainState(other); }
  ChainState& operator=(ChainState&&) noexcept = default;

  bool remembers() const { return !stages_.empty(); }

 private:
  friend class Chain;
  StageState* of(std::size_t stage) const { return stages_.empty() ? nullptr : stages_[stage].get(); }
  std::vector<std::unique_ptr<StageState>> stages_;  // one per stage; empty if all stages are stateless
};

/// The sampler chain of a request: its stages in order.
class Chain {
 public:
  /// vocabulary: for stages that read the texts of tokens; must outlive the chain. Errors: kInvalidArgument
  /// naming the option, its value and its limits, or an unknown option or stage with the known ones.
  static Result<Chain> create(const SamplingOptions& options, const Vocabulary* vocabulary = nullptr);

  /// The state at the beginning of a sequence.
  ChainState make_state() const;

  /// Chooses a token from raw logits [vocab]: applies the stages and draws one of the remaining candidates
  /// (draw.h) with the noise of context.key. T = 0 takes the argmax of what the other stages leave (the
  /// lowest id wins a tie). state: of make_state(), or null for a stateless chain. Changes only `scratch`.
  /// Errors: kBadNumbers naming the entry, or the stage that made bad numbers or masked every id;
  /// kInvalidArgument with the message of a stage that failed otherwise.
  Result<Choice> choose(const LogitRow& logits, const StageContext& context, const ChainState* state,
                        Candidates& scratch) const;

  /// Updates the state: its sequence continues with this token.
  void accept(const Choice& choice, ChainState& state) const;

  /// The distribution that choose() draws from, as probabilities [vocab] (0: filtered out or masked).
  /// Errors: those of choose(), kInvalidArgument if `probabilities` has another size than `logits`.
  Result<void> distribution(const LogitRow& logits, const StageContext& context, const ChainState* state,
                            Candidates& scratch, std::span<float> probabilities) const;

  /// The row after all stages, from which choose() draws. Temperature 0 is no stage. Errors: those of
  /// choose().
  Result<void> filter(const LogitRow& logits, const StageContext& context, const ChainState* state,
                      Candidates& row) const;

  /// The logits that the choice depends on; all others may be masked. kLargest: the largest (`count` includes
  /// `lowered` more, since that many of the largest may be lowered). kNear: those near the largest. kEach: a
  /// draw from the full row at `temperature`. kNucleus: a draw from its nucleus. kAll: all. Never kLower.
  /// Reads only `history` and `prompt_size` of the context.
  LogitsNeeded logits_needed(const StageContext& context) const;

  bool greedy() const { return greedy_; }
  bool empty() const { return stages_.empty(); }  // no stage is enabled
  /// The first stage that shapes draws (StageDescriptor), in the form of describe(); empty if none does.
  std::string shapes_draws() const;
  /// The enabled stages in order: "temperature 0.8, top_p 0.95"; empty if there are none.
  std::string describe() const;

 private:
  std::vector<std::shared_ptr<const Stage>> stages_;
  bool greedy_ = false;
  bool needs_probability_ = false;
};

}  // namespace partita::internal
