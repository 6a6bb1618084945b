// Logit bias: adds a number to the logits of given ids, before or after the temperature as the order says. As
// SequenceBiasLogitsProcessor with sequences of one token. A bias of -inf forbids an id; -100, which OpenAI's
// interface calls a ban, is nothing but added. Of several biases of one id the last counts.
#include <algorithm>
#include <array>
#include <limits>

#include "sampling/chain/numbers.h"
#include "sampling/stages/stages.h"

namespace partita {
namespace {

class LogitBias : public Stage {
 public:
  explicit LogitBias(TokenBiases biases) : biases_(std::move(biases)) {}
  std::string_view name() const override { return "logit_bias"; }
  std::string describe() const override {
    return "logit_bias of " + std::to_string(biases_.size()) + (biases_.size() == 1 ? " id" : " ids");
  }

  Reach reach(const StageContext&) const override {
    const bool lowers =
        std::all_of(biases_.begin(), biases_.end(), [](const auto& b) { return b.second <= 0; });
    return lowers ? Reach{.kind = Reach::kLower, .lowered = biases_.size()} : Reach{};
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

constexpr std::array kOptions = {SamplingOption{"logit_bias", OptionKind::kBiases, 0,
                                                "adds a number to the logit of an id; -inf: never it"}};

/// kInvalidArgument naming the first id or bias that cannot be.
Result<void> check(const TokenBiases& biases, const Vocabulary* vocabulary) {
  constexpr std::size_t kMostIds = std::size_t{std::numeric_limits<std::int32_t>::max()} + 1;
  const std::size_t ids = vocabulary == nullptr ? kMostIds : vocabulary->size();
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
  if (const Result<void> checked = check(biases, vocabulary); !checked) return checked.error();
  // The last of each id to the front of its kind, then only those.
  std::reverse(biases.begin(), biases.end());
  std::stable_sort(biases.begin(), biases.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  biases.erase(std::unique(biases.begin(), biases.end(), same), biases.end());
  return biases.empty() ? no_stage() : make_stage<LogitBias>(std::move(biases));
}

}  // namespace

namespace stages {
extern const StageDescriptor logit_bias = {
    {"logit_bias", "adds numbers to the logits of given tokens", kOptions}, make};
}

}  // namespace partita
