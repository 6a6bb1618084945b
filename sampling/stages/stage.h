// A stage of the sampler chain: a logits processor or filter, and the descriptor that its file defines.
//
// A sampler is one file here and its name in the list of sampling/CMakeLists.txt, at its position in the
// default order. The file `name`.cc defines the stage and `extern const StageDescriptor name` in namespace
// stages; flags, JSON keys and help are made from that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"
#include "partita/samplers.hpp"
#include "sampling/chain/candidates.h"
#include "sampling/chain/choice.h"
#include "sampling/chain/explain.h"
#include "sampling/chain/philox.h"
#include "sampling/vocabulary.h"

namespace partita::internal {

class SamplingOptions;

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

/// A stage; null if its options are neutral; kInvalidArgument if an option is out of its limits.
using MadeStage = Result<std::shared_ptr<const Stage>>;

struct StageDescriptor {
  Sampler sampler;  // name, summary, options
  /// Checks the limits of its options and makes the stage. vocabulary: outlives the stage; null if the tokens
  /// are unknown (a chain that is only described or checked, or runs without a model).
  MadeStage (*make)(const SamplingOptions& options, const Vocabulary* vocabulary);
  /// Whether it truncates or reshapes the distribution for a draw. Beam search, which draws nothing, rejects
  /// such a stage.
  bool shapes_draws = false;
};

/// No stage: the options are neutral.
inline MadeStage no_stage() { return std::shared_ptr<const Stage>(); }

template <class S, class... Args>
MadeStage make_stage(Args&&... args) {
  return std::shared_ptr<const Stage>(std::make_shared<S>(std::forward<Args>(args)...));
}

}  // namespace partita::internal
