// Temperature: logits divided by T, as TemperatureLogitsWarper, save that the division is carried out on
// differences from the maximum when weights are taken, so that no T overflows. T = 0 is no stage: the chain
// takes the argmax.
#include <array>
#include <cmath>

#include "sampling/numbers.h"
#include "sampling/stages/stages.h"

namespace partita {
namespace {

class Temperature : public Stage {
 public:
  explicit Temperature(float temperature) : temperature_(temperature) {}
  std::string_view name() const override { return "temperature"; }
  std::string describe() const override { return "temperature " + to_text(temperature_); }
  void apply(Candidates& row, const StageContext&, const StageState*) const override {
    row.divide_by(temperature_);
  }

 private:
  float temperature_;
};

constexpr std::array kOptions = {
    SamplingOption{"temperature", OptionKind::kNumber, 1, "0 takes the likeliest token"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  const float temperature = options.real("temperature");
  if (!(temperature >= 0) || std::isinf(temperature)) {
    return bad_option("temperature", to_text(temperature), "a number of 0 (greedy) or more");
  }
  return temperature == 0 || temperature == 1 ? no_stage() : make_stage<Temperature>(temperature);
}

}  // namespace

namespace stages {
extern const StageDescriptor temperature = {
    {"temperature", "divides the logits: below 1 surer, above 1 more varied, 0 greedy", kOptions}, make};
}

}  // namespace partita
