// Locally typical sampling (Meister et al. 2022): the smallest set of candidates whose surprise -log p is
// nearest to the entropy and whose probabilities sum to at least p. As TypicalLogitsWarper: all candidates as
// near as the last one stay. (llama.cpp requires more than p, and its sort decides which ties stay.)
//
// With d = log(largest p / p) and its mean D, surprise and entropy differ by d - D, so the nearest are an
// interval of logits, found without sorting.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/chain/surprisal.h"
#include "sampling/stages/stage.h"
#include "weights/sentence.h"

namespace partita::internal::stages::typical_p {
namespace {

class TypicalP : public Stage {
 public:
  explicit TypicalP(float p) : p_(p) {}
  std::string_view name() const override { return "typical_p"; }
  std::string describe() const override { return "typical_p " + to_text(p_); }
  void apply(Candidates& row, const StageContext& context, const StageState*) const override;

 private:
  float p_;
};

void TypicalP::apply(Candidates& row, const StageContext& context, const StageState*) const {
  const SurprisalStatistics s = surprisal_statistics(row, *context.kernels);
  const auto p = static_cast<double>(p_), max = static_cast<double>(row.max()), factor = row.weight_factor();
  // At most variance / r^2 of the probability is farther than r from the mean (Chebyshev), so the nearest
  // with total probability p lie within the r for which that is 1 - p. A little more covers rounding.
  const double variance = 1.02 * s.variance + 1e-12 * (1 + s.mean * s.mean);
  const double farthest = s.mean + std::sqrt(variance / (1 - p));
  const float least = round_up(max - farthest / factor);
  // Decreases on both sides of the mean, also after rounding; equal floats are ties.
  const auto nearness = [&](float value) {
    return static_cast<float>(-std::abs(factor * (max - static_cast<double>(value)) - s.mean));
  };

  std::span<float> values = row.collect(least);
  const std::span<float> weights = grow_to(row.scratch.weights, values.size());
  context.kernels->exp_sum(values.data(), values.size(), row.max(), row.weight_factor(), weights.data());
  std::transform(values.begin(), values.end(), values.begin(), nearness);
  const float last = select_largest(values, weights, p * s.weights).least;

  values = row.collect(least);
  float low = std::numeric_limits<float>::infinity(), high = -low;
  for (const float value : values) {
    if (nearness(value) < last) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  row.keep_between(low, high);
}

constexpr std::array kOptions = {SamplingOption{"typical_p", OptionKind::kNumber, 1,
                                                "keep the most typical with this probability; 1: all"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  const float p = options.real("typical_p");
  if (!(p > 0) || p > 1) return bad_option("typical_p", to_text(p), "above 0 and at most 1 (1: off)");
  return p == 1 ? no_stage() : make_stage<TypicalP>(p);
}

}  // namespace

extern const StageDescriptor stage = {
    {"typical_p", "keeps tokens about as surprising as the entropy expects, to a sum of p", kOptions},
    make,
    true};

}  // namespace partita::internal::stages::typical_p
