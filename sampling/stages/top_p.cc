// Top-p, nucleus sampling (Holtzman et al. 2019): the smallest set of largest candidates whose probabilities
// sum to at least p; at least one candidate, and the lowest ids win a tie. As TopPLogitsWarper, whose sort
// leaves the order of ties open.
#include <array>
#include <cmath>

#include "sampling/chain/draw.h"
#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/stages/stage.h"
#include "weights/sentence.h"

namespace partita::internal::stages::top_p {
namespace {

class TopP : public Stage {
 public:
  explicit TopP(float p) : p_(p) {}
  std::string_view name() const override { return "top_p"; }
  std::string describe() const override { return "top_p " + to_text(p_); }
  void apply(Candidates& row, const StageContext& context, const StageState*) const override;
  LogitsNeeded logits_needed(const StageContext&) const override {
    return {.kind = LogitsNeeded::kNucleus, .mass = p()};
  }

 private:
  double p() const { return static_cast<double>(p_); }
  float p_;
};

void TopP::apply(Candidates& row, const StageContext& context, const StageState*) const {
  const double total = sum_weights(row, *context.kernels, row.scratch.sums);
  // All candidates lighter than (1 - p) total / n weigh less than (1 - p) total together, so the set needs
  // none of them. Half of that bound covers the rounding of exp.
  const double light = 0.5 * (1 - p()) * total / static_cast<double>(row.count());
  const double least = static_cast<double>(row.max()) + std::log(light) / row.weight_factor();
  const std::span<float> values = row.collect(round_up(least));
  const std::span<float> weights = grow_to(row.scratch.weights, values.size());
  context.kernels->exp_sum(values.data(), values.size(), row.max(), row.weight_factor(), weights.data());
  row.keep(select_largest(values, weights, p() * total));
}

constexpr std::array kOptions = {SamplingOption{"top_p", OptionKind::kNumber, 1,
                                                "keep the likeliest with this total probability; 1: all"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  const float p = options.real("top_p");
  if (!(p > 0) || p > 1) return bad_option("top_p", to_text(p), "above 0 and at most 1 (1: off)");
  return p == 1 ? no_stage() : make_stage<TopP>(p);
}

}  // namespace

extern const StageDescriptor stage = {
    {"top_p", "keeps the fewest likeliest tokens whose probabilities sum to p", kOptions}, make, true};

}  // namespace partita::internal::stages::top_p
