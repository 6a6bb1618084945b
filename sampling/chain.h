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
#include "sampling/candidates.h"
#include "sampling/philox.h"

namespace partita {

/// The numbers of the stages, with Hugging Face's defaults. A stage whose number is neutral does nothing.
/// Each stage's file says what it computes and where it differs from Hugging Face's.
struct SamplingOptions {
  float temperature = 1.0F;     // 0: argmax of what the other stages leave; < 0 or NaN is refused
  int top_k = 0;                // 0: off
  float top_p = 1.0F;           // (0, 1]
  float min_p = 0.0F;           // [0, 1]
  float repeat_penalty = 1.0F;  // > 0; every id in the history, once (Keskar et al. 2019)
  /// Order, by name, each at most once; a stage that is not named is not applied, but temperature 0 always
  /// is. Hugging Face's: penalties, then temperature, top_k, top_p, min_p.
  std::vector<std::string> samplers = {"repeat_penalty", "temperature", "top_k", "top_p", "min_p"};
};

/// What a stage may look at besides the row.
struct StageContext {
  std::span<const std::int32_t> history;  // prompt and generated ids so far
  const Kernels* kernels = nullptr;
};

/// One processor or filter. Immutable; one instance serves many rows and threads.
class Stage {
 public:
  virtual ~Stage() = default;
  virtual std::string_view name() const = 0;
  /// Name and number: "top_p 0.95".
  virtual std::string describe() const = 0;
  /// Precondition: row.max() is finite. A stage may break the row (row.max() is then not finite): the chain
  /// looks.
  virtual void apply(Candidates& row, const StageContext& context) const = 0;
};

/// The stages of a request in their order.
class Chain {
 public:
  /// Errors: kInvalidArgument naming the option, its value and its limits; an unknown stage name with the
  /// known ones.
  static Result<Chain> create(const SamplingOptions& options);

  /// Chooses a token from raw logits [vocab]: inverse CDF over what the stages leave, in ascending id order,
  /// at uniform(key). T = 0 is argmax (lowest id wins ties) of what the other stages leave. Errors:
  /// kBadNumbers naming the entry or the stage.
  Result<std::int32_t> choose(std::span<const float> logits, const StageContext& context, const DrawKey& key,
                              Candidates& scratch) const;

  /// The distribution that choose() draws from, as probabilities [vocab] (0: filtered out or masked).
  /// Errors: those of choose(), kInvalidArgument if `probabilities` has another size than `logits`.
  Result<void> distribution(std::span<const float> logits, const StageContext& context, Candidates& scratch,
                            std::span<float> probabilities) const;

  /// The row after all stages: what choose() draws from. Temperature 0 is no stage. Errors: those of
  /// choose().
  Result<void> filter(std::span<const float> logits, const StageContext& context, Candidates& row) const;

  bool greedy() const { return greedy_; }
  bool empty() const { return stages_.empty(); }  // no stage does anything
  /// The stages that do something, in order: "temperature 0.8, top_p 0.95"; empty if none does.
  std::string describe() const;

 private:
  std::vector<std::shared_ptr<const Stage>> stages_;
  bool greedy_ = false;
};

/// The names Chain::create knows, with one line about each.
struct StageInfo {
  std::string_view name;
  std::string_view summary;
};
std::span<const StageInfo> known_stages();

}  // namespace partita
