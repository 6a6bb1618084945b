// Temperature: logits divided by T, as TemperatureLogitsWarper, save that the division is carried out on
// differences from the maximum when weights are taken, so that no T overflows. T = 0 is no stage: the chain
// takes the argmax.
//
// With a range, the temperature is dynamic, as llama.cpp's temp_ext: between max(0, T - range) and T + range,
// by (H / log n)^exponent, H the entropy of the n candidates. llama.cpp counts masked ones too; here n is
// what is not masked. T = 0 stays the argmax.
#include <algorithm>
#include <array>
#include <cmath>

#include "sampling/chain/numbers.h"
#include "sampling/chain/surprisal.h"
#include "sampling/stages/stages.h"

namespace partita {
namespace {

class Temperature : public Stage {
 public:
  explicit Temperature(float temperature) : temperature_(temperature) {}
  std::string_view name() const override { return "temperature"; }
  std::string describe() const override { return "temperature " + to_text(temperature_); }
  void apply(Candidates& row, const StageContext&, const StageState*) const override {
    row.divide_by(static_cast<double>(temperature_));
  }
  Reach reach(const StageContext&) const override {
    return {.kind = Reach::kEach, .temperature = static_cast<double>(temperature_)};
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
    const double entropy = std::max(0.0, spread(row, *context.kernels).entropy());
    const double uncertainty = std::min(1.0, entropy / std::log(static_cast<double>(n)));
    const double least = std::max(0.0, static_cast<double>(temperature_) - static_cast<double>(range_));
    const double most = static_cast<double>(temperature_) + static_cast<double>(range_);
    const double raised = std::pow(uncertainty, static_cast<double>(exponent_));
    row.divide_by(std::min(least + (most - least) * raised, kMost));
  }

 private:
  static constexpr double kMost = std::numeric_limits<float>::max();
  float temperature_, range_, exponent_;
};

constexpr std::array kOptions = {
    SamplingOption{"temperature", OptionKind::kNumber, 1, "0 takes the likeliest token"},
    SamplingOption{"dynatemp_range", OptionKind::kNumber, 0,
                   "the temperature moves by so much either way with the entropy; 0: it is fixed"},
    SamplingOption{"dynatemp_exponent", OptionKind::kNumber, 1,
                   "how the entropy moves it: above 1 later, below 1 sooner"}};

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

namespace stages {
extern const StageDescriptor temperature = {
    {"temperature", "divides the logits: below 1 surer, above 1 more varied, 0 greedy", kOptions},
    make,
    true};
}

}  // namespace partita
