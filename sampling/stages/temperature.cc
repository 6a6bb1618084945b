// Temperature: logits divided by T, as TemperatureLogitsWarper, except that differences from the maximum are
// divided when weights are computed, so that no T overflows. T = 0 is no stage: the chain takes the argmax
// (greedy).
//
// With a range, the temperature is dynamic (dynatemp), as llama.cpp's temp_ext: between max(0, T - range) and
// T + range, by (H / log n)^exponent, H the entropy of the n candidates. llama.cpp counts masked ids too;
// here n counts only ids that are not masked. T = 0 remains the argmax.
#include <algorithm>
#include <array>
#include <cmath>

#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/chain/surprisal.h"
#include "sampling/stages/stage.h"
#include "weights/sentence.h"

namespace partita::internal::stages::temperature {
namespace {

class Temperature : public Stage {
 public:
  explicit Temperature(float temperature) : temperature_(temperature) {}
  std::string_view name() const override { return "temperature"; }
  std::string describe() const override { return "temperature " + to_text(temperature_); }
  void apply(Candidates& row, const StageContext&, const StageState*) const override {
    row.divide_by(static_cast<double>(temperature_));
  }
  LogitsNeeded logits_needed(const StageContext&) const override {
    return {.kind = LogitsNeeded::kEach, .temperature = static_cast<double>(temperature_)};
  }

 private:
  float temperature_;
};

class DynamicTemperature : public Stage {
 public:
  DynamicTemperature(float temperature, float range, float exponent)
      : temperature_(temperature), range_(range), exponent_(exponent) {}
  std::string_view name() const override { return "temperature"; }
  std::string describe() const override {
    return "temperature " + to_text(temperature_) + " range " + to_text(range_) + " exponent " +
           to_text(exponent_);
  }

  void apply(Candidates& row, const StageContext& context, const StageState*) const override {
    const std::size_t n = unmasked(row).count;
    if (n < 2) return;
    const double entropy = std::max(0.0, surprisal_statistics(row, *context.kernels).entropy());
    const double uncertainty = std::min(1.0, entropy / std::log(static_cast<double>(n)));
    const double least = std::max(0.0, static_cast<double>(temperature_) - static_cast<double>(range_));
    const double most = static_cast<double>(temperature_) + static_cast<double>(range_);
    const double raised = std::pow(uncertainty, static_cast<double>(exponent_));
    row.divide_by(std::min(least + (most - least) * raised, kMax));
  }

 private:
  static constexpr double kMax = std::numeric_limits<float>::max();
  float temperature_, range_, exponent_;
};

constexpr std::array kOptions = {
    SamplingOption{"temperature", OptionKind::kNumber, 1,
                   "divides the logits; 0: always the likeliest token"},
    SamplingOption{"dynatemp_range", OptionKind::kNumber, 0, "temperature +/- this, by entropy; 0: fixed"},
    SamplingOption{"dynatemp_exponent", OptionKind::kNumber, 1,
                   "curve of that: above 1 rises later, below 1 sooner"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  const float temperature = options.real("temperature");
  if (!(temperature >= 0) || std::isinf(temperature)) {
    return bad_option("temperature", to_text(temperature), "a number of 0 (greedy) or more");
  }
  const float range = options.real("dynatemp_range");
  if (!(range >= 0) || std::isinf(range)) {
    return bad_option("dynatemp_range", to_text(range), "a number of 0 (off) or more");
  }
  const float exponent = options.real("dynatemp_exponent");
  if (!(exponent > 0) || std::isinf(exponent)) {
    return bad_option("dynatemp_exponent", to_text(exponent), "a number above 0");
  }
  if (temperature == 0) return no_stage();
  if (range > 0) return make_stage<DynamicTemperature>(temperature, range, exponent);
  return temperature == 1 ? no_stage() : make_stage<Temperature>(temperature);
}

}  // namespace

extern const StageDescriptor stage = {
    {"temperature", "divides the logits: below 1 more certain, above 1 more varied, 0 greedy", kOptions},
    make,
    true};

}  // namespace partita::internal::stages::temperature
