// Epsilon sampling (Hewitt et al. 2022): drops candidates less likely than epsilon, but never the likeliest.
// As EpsilonLogitsWarper.
#include <array>

#include "sampling/chain/draw.h"
#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/chain/surprisal.h"
#include "sampling/stages/stage.h"
#include "weights/sentence.h"

namespace partita::internal::stages::epsilon_cutoff {
namespace {

class EpsilonCutoff : public Stage {
 public:
  explicit EpsilonCutoff(float epsilon) : epsilon_(epsilon) {}
  std::string_view name() const override { return "epsilon_cutoff"; }
  std::string describe() const override { return "epsilon_cutoff " + to_text(epsilon_); }

  void apply(Candidates& row, const StageContext& context, const StageState*) const override {
    const double total = sum_weights(row, *context.kernels, row.scratch.sums);
    row.keep({least_of_weight(row, static_cast<double>(epsilon_) * total), Cut::kAllTies});
  }

 private:
  float epsilon_;
};

constexpr std::array kOptions = {SamplingOption{"epsilon_cutoff", OptionKind::kNumber, 0,
                                                "keep tokens of at least this probability; 0: all"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  const float epsilon = options.real("epsilon_cutoff");
  if (!(epsilon >= 0) || epsilon >= 1) {
    return bad_option("epsilon_cutoff", to_text(epsilon), "at least 0 (off) and below 1");
  }
  return epsilon == 0 ? no_stage() : make_stage<EpsilonCutoff>(epsilon);
}

}  // namespace

extern const StageDescriptor stage = {
    {"epsilon_cutoff", "keeps tokens of at least a certain probability", kOptions}, make, true};

}  // namespace partita::internal::stages::epsilon_cutoff
