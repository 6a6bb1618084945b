// Min-p (Nguyen et al. 2024): drops what is less likely than p times the likeliest, which is a bound on the
// logit and needs no sum. As MinPLogitsWarper.
#include <cmath>

#include "sampling/numbers.h"
#include "sampling/stages/stages.h"

namespace partita {
namespace {

class MinP : public Stage {
 public:
  explicit MinP(float p) : p_(p) {}
  std::string_view name() const override { return "min_p"; }
  std::string describe() const override { return "min_p " + to_text(p_); }

  void apply(Candidates& row, const StageContext&, const StageState*) const override {
    const double least =
        static_cast<double>(row.max()) + std::log(static_cast<double>(p_)) / row.inverse_temperature();
    row.keep({round_up(least), Cut::kAllTies});
  }

 private:
  float p_;
};

}  // namespace

MadeStage make_min_p(const SamplingOptions& options) {
  if (!(options.min_p >= 0) || options.min_p > 1) {
    return bad_option("min_p", to_text(options.min_p), "at least 0 (off) and at most 1");
  }
  if (options.min_p == 0) return std::shared_ptr<const Stage>();
  return std::shared_ptr<const Stage>(std::make_shared<MinP>(options.min_p));
}

}  // namespace partita
