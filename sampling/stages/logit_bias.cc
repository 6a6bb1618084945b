// Logit bias: adds a number to the logits of given ids, before or after the temperature, by the order of
// samplers. As SequenceBiasLogitsProcessor with sequences of one token. A bias of -inf forbids an id; -100,
// which OpenAI's API calls a ban, is only added. The last of several biases of one id counts.
#include <algorithm>
#include <array>
#include <limits>

#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/stages/stage.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal::stages::logit_bias {
namespace {

class LogitBias : public Stage {
 public:
  explicit LogitBias(TokenBiases biases) : biases_(std::move(biases)) {}
  std::string_view name() const override { return "logit_bias"; }
  std::string describe() const override {
    return "logit_bias of " + std::to_string(biases_.size()) + (biases_.size() == 1 ? " id" : " ids");
  }

  LogitsNeeded logits_needed(const StageContext&) const override {
    const bool lowers =
        std::all_of(biases_.begin(), biases_.end(), [](const auto& b) { return b.second <= 0; });
    return lowers ? LogitsNeeded{.kind = LogitsNeeded::kLower, .lowered = biases_.size()} : LogitsNeeded{};
  }

  void apply(Candidates& row, const StageContext& context, const StageState*) const override {
    for (const auto& [id, bias] : biases_) {
      if (const auto at = row.find(id)) row.add(*at, double{bias});
    }
    row.settle(*context.kernels);
  }

 private:
  TokenBiases biases_;  // by id, each once
};

constexpr std::array kOptions = {
    SamplingOption{"logit_bias", OptionKind::kBiases, 0, "added to the logit of an id; -inf forbids it"}};

/// kInvalidArgument naming the first invalid id or bias.
Result<void> check(const TokenBiases& biases, const Vocabulary* vocabulary) {
  constexpr std::size_t kMaxIds = std::size_t{std::numeric_limits<std::int32_t>::max()} + 1;
  const std::size_t ids = vocabulary == nullptr ? kMaxIds : vocabulary->size();
  for (const auto& [id, bias] : biases) {
    if (id < 0 || static_cast<std::size_t>(id) >= ids) {
      return bad_option("an id of logit_bias", std::to_string(id),
                        "one of the vocabulary's, 0 to " + std::to_string(ids - 1));
    }
    if (!is_logit(bias)) {
      return bad_option("the logit_bias of id " + std::to_string(id), to_text(bias),
                        "a finite number, or -inf to forbid the id");
    }
  }
  return {};
}

MadeStage make(const SamplingOptions& options, const Vocabulary* vocabulary) {
  TokenBiases biases = options.biases("logit_bias");
  TRY(check(biases, vocabulary));
  // Keeps the last bias of each id.
  std::reverse(biases.begin(), biases.end());
  std::stable_sort(biases.begin(), biases.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  biases.erase(std::unique(biases.begin(), biases.end(), same), biases.end());
  return biases.empty() ? no_stage() : make_stage<LogitBias>(std::move(biases));
}

}  // namespace

extern const StageDescriptor stage = {{"logit_bias", "adds numbers to the logits of given tokens", kOptions},
                                      make};

}  // namespace partita::internal::stages::logit_bias
