// The sampler chain: logits processors and filters (stages), applied in a given order, and the draw of a
// token. Each stage has its own file in stages/.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"
#include "sampling/chain/candidates.h"
#include "sampling/chain/choice.h"
#include "sampling/chain/explain.h"
#include "sampling/chain/options.h"
#include "sampling/chain/philox.h"
#include "sampling/vocabulary.h"

namespace partita::internal {

/// Input of a stage besides the row.
struct StageContext {
  std::span<const std::int32_t> history;  // prompt and generated ids so far
  std::size_t prompt_size = 0;            // length of the prompt at the start of `history`
  DrawKey key;                            // of this token; a stage that draws has a DrawStream of its own
  const Kernels* kernels = nullptr;
  Observer* observer = nullptr;  // records the row before and after every stage; null: no record
  bool probability = false;      // compute the probability of the choice, a sum over all candidates
};

/// State of one stage for one sequence, beyond the history of ids.
class StageState {
 public:
  virtual ~StageState() = default;
  virtual std::unique_ptr<StageState> clone() const = 0;
};

/// The logits that a stage needs. An LM head may leave the other logits of the row uncomputed.
struct LogitsNeeded {
  enum Kind : std::uint8_t {
    kEach,     // each candidate by itself: divides it by `temperature`, which keeps the order of candidates
    kLower,    // lowers at most `lowered` ids and changes no other
    kLargest,  // keeps only the `count` largest
    kNear,     // keeps only those within `distance` of the largest logit, at temperature 1
    kNucleus,  // keeps the smallest set of largest candidates whose probabilities sum to `mass`
    kAll       // all of them
  };
  Kind kind = kAll;
  double temperature = 1;
  double mass = 1;
  std::size_t count = 0;
  std::size_t lowered = 0;
  double distance = 0;
};

/// One logits processor or filter. Immutable; one instance serves many rows and threads.
class Stage {
 public:
  virtual ~Stage() = default;
  virtual std::string_view name() const = 0;
  /// The name and the values of its options: "top_p 0.95".
  virtual std::string describe() const = 0;

  /// The logits that this stage needs. Reads only `history` and `prompt_size` of the context.
  virtual LogitsNeeded logits_needed(const StageContext&) const { return {}; }

  /// The state at the beginning of a sequence; null for a stateless stage.
  virtual std::unique_ptr<StageState> make_state() const { return nullptr; }

  /// Precondition: row.max() is finite. A stage may leave a bad row (row.max() is not finite; -inf if it
  /// masked every candidate) or call row.fail(); the chain checks both. state: of make_state().
  virtual void apply(Candidates& row, const StageContext& context, const StageState* state) const = 0;

  /// Whether accept() reads the probability of the choice.
  virtual bool needs_probability() const { return false; }

  /// Updates the state: the sequence continues with this token.
  virtual void accept(const Choice&, StageState*) const {}
};

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
