// Presence and frequency penalties, as OpenAI's API defines them: the logit of every generated id is lowered
// by the presence penalty once, and by the frequency penalty times the number of its occurrences. The prompt
// does not count (as in vLLM; llama.cpp counts the last ids of prompt and answer). Negative penalties make
// repetition likelier.
#include <algorithm>
#include <array>
#include <cmath>

#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/stages/history.h"
#include "sampling/stages/stage.h"
#include "weights/sentence.h"

namespace partita::internal::stages::count_penalties {
namespace {

class CountPenalties : public Stage {
 public:
  CountPenalties(float presence, float frequency, std::size_t last)
      : presence_(presence), frequency_(frequency), last_(last) {}
  std::string_view name() const override { return "count_penalties"; }
  std::string describe() const override {
    std::string text(name());
    if (presence_ != 0) text += " presence " + to_text(presence_);
    if (frequency_ != 0) text += " frequency " + to_text(frequency_);
    return text + within_last(last_);
  }

  LogitsNeeded logits_needed(const StageContext& context) const override {
    if (presence_ < 0 || frequency_ < 0) return {};
    return {.kind = LogitsNeeded::kLower,
            .lowered = last_of(context.history.subspan(context.prompt_size), last_).size()};
  }

  void apply(Candidates& row, const StageContext& context, const StageState*) const override {
    const auto ids = last_of(context.history.subspan(context.prompt_size), last_);
    const CandidateCounts counts(row);
    for (const std::int32_t id : ids) {
      if (const auto at = row.find(id)) ++counts[*at];
    }
    for (const std::int32_t id : ids) {
      const auto at = row.find(id);
      if (!at || counts[*at] == 0) continue;
      row.add(*at, -(double{presence_} + double{frequency_} * counts[*at]));
      counts[*at] = 0;
    }
    row.settle(*context.kernels);
  }

 private:
  float presence_, frequency_;
  std::size_t last_;
};

constexpr std::array kOptions = {SamplingOption{"presence_penalty", OptionKind::kNumber, 0,
                                                "subtracted from logits of generated ids; 0: off"},
                                 SamplingOption{"frequency_penalty", OptionKind::kNumber, 0,
                                                "subtracted for each time an id was generated; 0: off"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  for (const SamplingOption& option : kOptions) {
    const float penalty = options.real(option.name);
    if (!std::isfinite(penalty)) return bad_option(option.name, to_text(penalty), "a finite number (0: off)");
  }
  const float presence = options.real("presence_penalty"), frequency = options.real("frequency_penalty");
  const Result<std::size_t> last = last_n(options, "penalty_last_n");
  if (!last) return last.error();
  if (presence == 0 && frequency == 0) return no_stage();
  return make_stage<CountPenalties>(presence, frequency, *last);
}

}  // namespace

extern const StageDescriptor stage = {
    {"count_penalties", "makes generated tokens less likely, once or for each occurrence", kOptions}, make};

}  // namespace partita::internal::stages::count_penalties
