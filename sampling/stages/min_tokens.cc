// Minimum length: masks the ids that end an answer until `min_tokens` tokens are generated. As
// MinNewTokensLengthLogitsProcessor. Stop strings still end an answer earlier.
#include <array>

#include "sampling/chain/options.h"
#include "sampling/stages/stage.h"
#include "weights/sentence.h"

namespace partita::internal::stages::min_tokens {
namespace {

class MinTokens : public Stage {
 public:
  MinTokens(std::size_t least, const Vocabulary* vocabulary) : least_(least) {
    if (vocabulary != nullptr) ends_.assign(vocabulary->ends().begin(), vocabulary->ends().end());
  }
  std::string_view name() const override { return "min_tokens"; }
  std::string describe() const override { return "min_tokens " + std::to_string(least_); }

  LogitsNeeded logits_needed(const StageContext& context) const override {
    return {.kind = LogitsNeeded::kLower, .lowered = is_over(context) ? 0 : ends_.size()};
  }

  void apply(Candidates& row, const StageContext& context, const StageState*) const override {
    if (is_over(context)) return;
    for (const std::int32_t id : ends_) {
      if (const auto at = row.find(id)) row.mask(*at);
    }
    row.settle(*context.kernels);
  }

 private:
  bool is_over(const StageContext& context) const {
    return context.history.size() - context.prompt_size >= least_;
  }

  std::size_t least_;
  std::vector<std::int32_t> ends_;
};

constexpr std::array kOptions = {SamplingOption{"min_tokens", OptionKind::kWholeNumber, 0,
                                                "no end of the answer before N tokens; 0: off"}};

MadeStage make(const SamplingOptions& options, const Vocabulary* vocabulary) {
  const std::int64_t least = options.whole("min_tokens");
  if (least < 0) return bad_option("min_tokens", std::to_string(least), "0 (off) or more");
  return least == 0 ? no_stage() : make_stage<MinTokens>(static_cast<std::size_t>(least), vocabulary);
}

}  // namespace

extern const StageDescriptor stage = {
    {"min_tokens", "masks the end of the answer before a number of tokens", kOptions}, make};

}  // namespace partita::internal::stages::min_tokens
