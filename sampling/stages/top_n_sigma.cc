// Top-n-sigma (Tang et al. 2024): drops logits that lie more than n standard deviations of all logits below
// the largest. Masked logits do not count, and the deviation divides by the number of logits, as in
// llama.cpp. The temperature does not change which are kept.
#include <array>
#include <cmath>

#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/chain/surprisal.h"
#include "sampling/stages/stage.h"
#include "weights/sentence.h"

namespace partita::internal::stages::top_n_sigma {
namespace {

class TopNSigma : public Stage {
 public:
  explicit TopNSigma(float n) : n_(n) {}
  std::string_view name() const override { return "top_n_sigma"; }
  std::string describe() const override { return "top_n_sigma " + to_text(n_); }

  void apply(Candidates& row, const StageContext&, const StageState*) const override {
    const double below = static_cast<double>(n_) * unmasked(row).deviation;
    row.keep({round_up(static_cast<double>(row.max()) - below), Cut::kAllTies});
  }

 private:
  float n_;
};

constexpr std::array kOptions = {SamplingOption{"top_n_sigma", OptionKind::kNumber, 0,
                                                "keep logits within N sigma of the largest; 0: all"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  const float n = options.real("top_n_sigma");
  if (!(n >= 0) || std::isinf(n)) return bad_option("top_n_sigma", to_text(n), "a number of 0 (off) or more");
  return n == 0 ? no_stage() : make_stage<TopNSigma>(n);
}

}  // namespace

extern const StageDescriptor stage = {
    {"top_n_sigma", "keeps logits within n standard deviations of the largest", kOptions}, make, true};

}  // namespace partita::internal::stages::top_n_sigma
