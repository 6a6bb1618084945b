// Temperature: logits divided by T, as TemperatureLogitsWarper, save that the division is carried out on
// differences from the maximum when weights are taken, so that no T overflows. T = 0 is no stage: the chain
// takes the argmax.
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

}  // namespace

MadeStage make_temperature(const SamplingOptions& options) {
  const float temperature = options.temperature;
  if (!(temperature >= 0) || std::isinf(temperature)) {
    return bad_option("temperature", to_text(temperature), "a number of 0 (greedy) or more");
  }
  if (temperature == 0 || temperature == 1) return std::shared_ptr<const Stage>();
  return std::shared_ptr<const Stage>(std::make_shared<Temperature>(temperature));
}

}  // namespace partita
