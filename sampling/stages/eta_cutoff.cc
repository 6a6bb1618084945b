// Eta sampling (Hewitt et al. 2022): drops candidates less likely than min(epsilon, sqrt(epsilon) exp(-H)), H
// the entropy of the current candidates, but never the likeliest. As EtaLogitsWarper.
#include <algorithm>
#include <array>
#include <cmath>

#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/chain/surprisal.h"
#include "sampling/stages/stage.h"
#include "weights/sentence.h"

namespace partita::internal::stages::eta_cutoff {
namespace {

class EtaCutoff : public Stage {
 public:
  explicit EtaCutoff(float epsilon) : epsilon_(epsilon) {}
  std::string_view name() const override { return "eta_cutoff"; }
  std::string describe() const override { return "eta_cutoff " + to_text(epsilon_); }

  void apply(Candidates& row, const StageContext& context, const StageState*) const override {
    const SurprisalStatistics s = surprisal_statistics(row, *context.kernels);
    const auto epsilon = static_cast<double>(epsilon_);
    const double eta = std::min(epsilon, std::sqrt(epsilon) * std::exp(-s.entropy()));
    row.keep({least_of_weight(row, eta * s.weights), Cut::kAllTies});
  }

 private:
  float epsilon_;
};

constexpr std::array kOptions = {SamplingOption{"eta_cutoff", OptionKind::kNumber, 0,
                                                "as epsilon-cutoff, but lower at high entropy; 0: all"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  const float epsilon = options.real("eta_cutoff");
  if (!(epsilon >= 0) || epsilon >= 1) {
    return bad_option("eta_cutoff", to_text(epsilon), "at least 0 (off) and below 1");
  }
  return epsilon == 0 ? no_stage() : make_stage<EtaCutoff>(epsilon);
}

}  // namespace

extern const StageDescriptor stage = {
    {"eta_cutoff", "keeps tokens of at least a probability that falls with the entropy", kOptions},
    make,
    true};

}  // namespace partita::internal::stages::eta_cutoff
