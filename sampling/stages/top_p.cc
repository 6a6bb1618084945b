// Top-p, nucleus sampling (Holtzman et al. 2019): the fewest largest candidates whose probabilities sum to at
// least p, at least one, ties broken by the lowest id. As TopPLogitsWarper, whose sort leaves the order of
// ties open.
#include <cmath>

#include "sampling/draw.h"
#include "sampling/numbers.h"
#include "sampling/stages/stages.h"

namespace partita {
namespace {

class TopP : public Stage {
 public:
  explicit TopP(float p) : p_(p) {}
  std::string_view name() const override { return "top_p"; }
  std::string describe() const override { return "top_p " + to_text(p_); }
  void apply(Candidates& row, const StageContext& context, const StageState*) const override;

 private:
  double p() const { return static_cast<double>(p_); }
  float p_;
};

void TopP::apply(Candidates& row, const StageContext& context, const StageState*) const {
  const double total = sum_weights(row, *context.kernels, row.scratch.sums);
  // All candidates lighter than (1 - p) total / n weigh less than (1 - p) total together, so none of them is
  // needed. Half of that, for the rounding of exp.
  const double light = 0.5 * (1 - p()) * total / static_cast<double>(row.count());
  const double least =
      static_cast<double>(row.max()) + std::log(light) / static_cast<double>(row.weight_factor());
  const std::span<float> values = row.collect(round_up(least));
  const std::span<float> weights = room(row.scratch.weights, values.size());
  context.kernels->exp_sum(values.data(), values.size(), row.max(), row.weight_factor(), weights.data());
  row.keep(select_largest(values, weights, p() * total));
}

}  // namespace

MadeStage make_top_p(const SamplingOptions& options) {
  if (!(options.top_p > 0) || options.top_p > 1) {
    return bad_option("top_p", to_text(options.top_p), "above 0 and at most 1 (1: off)");
  }
  if (options.top_p == 1) return std::shared_ptr<const Stage>();
  return std::shared_ptr<const Stage>(std::make_shared<TopP>(options.top_p));
}

}  // namespace partita
