// Repetition penalty (Keskar et al. 2019, CTRL): the logit of every id in the history, once however often it
// occurs, is divided by the penalty if positive and multiplied by it if negative. As
// RepetitionPenaltyLogitsProcessor, which uses the full history; penalty_last_n limits it to the last ids. It
// commutes with the temperature, so it works on undivided logits.
#include <algorithm>
#include <array>
#include <cmath>

#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/stages/history.h"
#include "sampling/stages/stage.h"
#include "weights/sentence.h"

namespace partita::internal::stages::repeat_penalty {
namespace {

class RepeatPenalty : public Stage {
 public:
  RepeatPenalty(float penalty, std::size_t last) : penalty_(penalty), last_(last) {}
  std::string_view name() const override { return "repeat_penalty"; }
  std::string describe() const override { return "repeat_penalty " + to_text(penalty_) + within_last(last_); }

  LogitsNeeded logits_needed(const StageContext& context) const override {
    if (penalty_ < 1) return {};
    return {.kind = LogitsNeeded::kLower, .lowered = last_of(context.history, last_).size()};
  }

  void apply(Candidates& row, const StageContext& context, const StageState*) const override {
    if (context.history.empty()) return;
    const std::span<const float> before = row.values();
    const std::span<float> after = grow_to(row.scratch.values, before.size());
    std::copy(before.begin(), before.end(), after.begin());
    for (const std::int32_t id : last_of(context.history, last_)) {
      // Reads the unchanged row, so a second occurrence has no effect. Ids outside the vocabulary are not
      // found.
      const std::optional<std::size_t> at = row.find(id);
      if (!at) continue;
      const float logit = before[*at];
      after[*at] = logit < 0 ? logit * penalty_ : logit / penalty_;
    }
    row.replace(*context.kernels);
  }

 private:
  float penalty_;
  std::size_t last_;
};

constexpr std::array kOptions = {
    SamplingOption{"repeat_penalty", OptionKind::kNumber, 1, "divides logits of ids that occurred; 1: off"},
    SamplingOption{"penalty_last_n", OptionKind::kWholeNumber, 0,
                   "last ids that the three penalties look at; 0: all"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  const float penalty = options.real("repeat_penalty");
  if (!(penalty > 0) || std::isinf(penalty)) {
    return bad_option("repeat_penalty", to_text(penalty), "a number above 0 (1: off)");
  }
  const Result<std::size_t> last = last_n(options, "penalty_last_n");
  if (!last) return last.error();
  return penalty == 1 ? no_stage() : make_stage<RepeatPenalty>(penalty, *last);
}

}  // namespace

extern const StageDescriptor stage = {
    {"repeat_penalty", "makes tokens of the prompt and the text so far less likely", kOptions}, make};

}  // namespace partita::internal::stages::repeat_penalty
