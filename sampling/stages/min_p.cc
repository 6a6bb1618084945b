// Min-p (Nguyen et al. 2024): drops candidates less likely than p times the likeliest: a bound on the logit,
// which needs no sum. As MinPLogitsWarper.
#include <array>
#include <cmath>

#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/stages/stage.h"
#include "weights/sentence.h"

namespace partita::internal::stages::min_p {
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
  LogitsNeeded logits_needed(const StageContext&) const override {
    return {.kind = LogitsNeeded::kNear, .distance = -std::log(static_cast<double>(p_))};
  }

 private:
  float p_;
};

constexpr std::array kOptions = {
    SamplingOption{"min_p", OptionKind::kNumber, 0, "keep tokens of at least X times the largest p; 0: all"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  const float p = options.real("min_p");
  if (!(p >= 0) || p > 1) return bad_option("min_p", to_text(p), "at least 0 (off) and at most 1");
  return p == 0 ? no_stage() : make_stage<MinP>(p);
}

}  // namespace

extern const StageDescriptor stage = {
    {"min_p", "keeps tokens at least p times as likely as the likeliest", kOptions}, make, true};

}  // namespace partita::internal::stages::min_p
