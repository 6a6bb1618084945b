// The chain of processors and filters between logits and a draw: one file per stage, applied in a stated
// order.
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

namespace partita {

/// What a stage may look at besides the row.
struct StageContext {
  std::span<const std::int32_t> history;  // prompt and generated ids so far
  std::size_t prompt_size = 0;            // the first so many of `history` are the prompt
  DrawKey key;                            // of this token; a stage that draws has a lane of its own
  const Kernels* kernels = nullptr;
  Observer* observer = nullptr;  // sees the row before and after every stage; null: nobody looks
  bool probability = false;      // whether that of the choice is asked for: a sum over all candidates
};

/// What one stage remembers of one sequence, beyond its history.
class StageState {
 public:
  virtual ~StageState() = default;
  virtual std::unique_ptr<StageState> clone() const = 0;
};

/// How much of a row a stage looks at, which says how few logits its answer may need.
struct Reach {
  enum Kind : std::uint8_t {
    kEach,   // at every candidate alone, and the order of candidates stays: they are divided by `temperature`
    kLower,  // it only makes some candidates less likely, `lowered` ids at most
    kLargest,  // only the `count` largest are left
    kNear,     // only what is within `distance` of the largest logit, at temperature 1, is left
    kNucleus,  // the fewest largest whose probabilities sum to `mass` are left
    kAll       // at all of them
  };
  Kind kind = kAll;
  double temperature = 1;
  double mass = 1;
  std::size_t count = 0;
  std::size_t lowered = 0;
  double distance = 0;
};

/// One processor or filter. Immutable; one instance serves many rows and threads.
class Stage {
 public:
  virtual ~Stage() = default;
  virtual std::string_view name() const = 0;
  /// Name and number: "top_p 0.95".
  virtual std::string describe() const = 0;

  /// Of the context its history and prompt alone.
  virtual Reach reach(const StageContext&) const { return {}; }

  /// The state at the beginning of a sequence; null for a stage that remembers nothing.
  virtual std::unique_ptr<StageState> make_state() const { return nullptr; }

  /// Precondition: row.max() is finite. A stage may break the row (row.max() is then not finite: -inf where
  /// it masks every candidate) or fail() it: the chain looks. state: of make_state().
  virtual void apply(Candidates& row, const StageContext& context, const StageState* state) const = 0;

  /// Whether accept() looks at the probability of the choice.
  virtual bool asks_probability() const { return false; }

  /// The sequence goes on with this token.
  virtual void accept(const Choice&, StageState*) const {}
};

/// What the stages of a chain remember of one sequence. Copying it forks the sequence.
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
  std::vector<std::unique_ptr<StageState>> stages_;  // one a stage; empty if none remembers anything
};

/// The stages of a request in their order.
class Chain {
 public:
  /// vocabulary: for stages that look at what tokens are; must outlive the chain. Errors: kInvalidArgument
  /// naming the option, its value and its limits; an unknown option or stage with the known ones.
  static Result<Chain> create(const SamplingOptions& options, const Vocabulary* vocabulary = nullptr);

  /// The state at the beginning of a sequence.
  ChainState make_state() const;

  /// Chooses a token from raw logits [vocab]: a draw from what the stages leave (draw.h) by the noise of
  /// context.key. T = 0 is argmax (lowest id wins ties) of what the other stages leave. state: of
  /// make_state(), or null for a chain that remembers nothing. Changes nothing but `scratch`. Errors:
  /// kBadNumbers naming the entry, or the stage that made bad numbers or masked every id; kInvalidArgument
  /// with what a stage says that failed otherwise.
  Result<Choice> choose(const LogitRow& logits, const StageContext& context, const ChainState* state,
                        Candidates& scratch) const;

  /// The sequence of this state goes on with this token.
  void accept(const Choice& choice, ChainState& state) const;

  /// The distribution that choose() draws from, as probabilities [vocab] (0: filtered out or masked).
  /// Errors: those of choose(), kInvalidArgument if `probabilities` has another size than `logits`.
  Result<void> distribution(const LogitRow& logits, const StageContext& context, const ChainState* state,
                            Candidates& scratch, std::span<float> probabilities) const;

  /// The row after all stages: what choose() draws from. Temperature 0 is no stage. Errors: those of
  /// choose().
  Result<void> filter(const LogitRow& logits, const StageContext& context, const ChainState* state,
                      Candidates& row) const;

  /// What the choice depends on: the largest logits (`count` has room for `lowered` of them that lose their
  /// place), those near the largest, or all of them; kEach: all, but only for a draw from the whole row at
  /// `temperature`; kNucleus: only for one from its nucleus. Beyond that the row may as well be masked. Never
  /// kLower. Of the context its history and prompt alone.
  Reach reach(const StageContext& context) const;

  bool greedy() const { return greedy_; }
  bool empty() const { return stages_.empty(); }  // no stage does anything
  /// The first stage that shapes draws (StageDescriptor), as describe() has it; empty if none does.
  std::string shapes_draws() const;
  /// The stages that do something, in order: "temperature 0.8, top_p 0.95"; empty if none does.
  std::string describe() const;

 private:
  std::vector<std::shared_ptr<const Stage>> stages_;
  bool greedy_ = false;
  bool asks_probability_ = false;
};

}  // namespace partita
