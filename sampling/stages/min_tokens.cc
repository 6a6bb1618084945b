// Minimum length: masks the ids that end an answer until so many tokens were generated. As
// MinNewTokensLengthLogitsProcessor. Stop strings are another matter: they end an answer all the same.
#include <array>

#include "sampling/stages/stages.h"

namespace partita {
namespace {

class MinTokens : public Stage {
 public:
  MinTokens(std::size_t least, const Vocabulary* vocabulary) : least_(least) {
    if (vocabulary != nullptr) ends_.assign(vocabulary->ends().begin(), vocabulary->ends().end());
  }
  std::string_view name() const override { return "min_tokens"; }
  std::string describe() const override { return "min_tokens " + std::to_string(least_); }

  Reach reach(const StageContext& context) const override {
    return {.kind = Reach::kLower, .lowered = is_over(context) ? 0 : ends_.size()};
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
                                                "no end of the answer before so many tokens; 0: off"}};

MadeStage make(const SamplingOptions& options, const Vocabulary* vocabulary) {
  const std::int64_t least = options.whole("min_tokens");
  if (least < 0) return bad_option("min_tokens", std::to_string(least), "0 (off) or more");
  return least == 0 ? no_stage() : make_stage<MinTokens>(static_cast<std::size_t>(least), vocabulary);
}

}  // namespace

namespace stages {
extern const StageDescriptor min_tokens = {
    {"min_tokens", "lets no answer end before so many tokens", kOptions}, make};
}

}  // namespace partita
