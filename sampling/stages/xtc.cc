// Exclude top choices (XTC; its author's pull request 6335 to text-generation-webui, and llama.cpp): with
// probability `xtc_probability` per token, by its own draw stream, drops all candidates of at least the
// threshold except the least likely of them, so that a sensible one remains. In a tie the highest id is the
// least likely.
#include <array>

#include "sampling/chain/draw.h"
#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/chain/surprisal.h"
#include "sampling/stages/stage.h"
#include "weights/sentence.h"

namespace partita::internal::stages::xtc {
namespace {

class Xtc : public Stage {
 public:
  Xtc(float probability, float threshold) : probability_(probability), threshold_(threshold) {}
  std::string_view name() const override { return "xtc"; }
  std::string describe() const override {
    return "xtc " + to_text(probability_) + " threshold " + to_text(threshold_);
  }
  void apply(Candidates& row, const StageContext& context, const StageState*) const override;

 private:
  float probability_, threshold_;
};

void Xtc::apply(Candidates& row, const StageContext& context, const StageState*) const {
  if (uniform(context.key, kXtcStream) >= static_cast<double>(probability_)) return;
  const double total = sum_weights(row, *context.kernels, row.scratch.sums);
  const double heavy = static_cast<double>(threshold_) * total;
  if (heavy > 1) return;  // even the likeliest is below the threshold
  const float least = least_of_weight(row, heavy);
  const std::span<const float> values = row.values();
  std::size_t spared = values.size();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] >= least && (spared == values.size() || values[i] <= values[spared])) spared = i;
  }
  const float spared_value = values[spared];
  for (std::size_t i = 0; i < row.count(); ++i) {
    if (i != spared && row.values()[i] >= spared_value) row.mask(i);
  }
  row.settle(*context.kernels);
}

constexpr std::array kOptions = {SamplingOption{"xtc_probability", OptionKind::kNumber, 0,
                                                "XTC: how often top choices are dropped; 0: never"},
                                 SamplingOption{"xtc_threshold", OptionKind::kNumber, 0.1,
                                                "XTC: probability from which a token is a top choice"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  for (const SamplingOption& option : kOptions) {
    const float p = options.real(option.name);
    if (!(p >= 0) || p > 1) return bad_option(option.name, to_text(p), "at least 0 and at most 1");
  }
  const float probability = options.real("xtc_probability");
  return probability == 0 ? no_stage() : make_stage<Xtc>(probability, options.real("xtc_threshold"));
}

}  // namespace

extern const StageDescriptor stage = {
    {"xtc", "at random drops the likeliest tokens, all but the last of them", kOptions}, make, true};

}  // namespace partita::internal::stages::xtc
