// DRY, "don't repeat yourself" (p-e-w 2024, in text-generation-webui, koboldcpp and llama.cpp): an id that
// would continue a repetition is lowered by multiplier * base^(length - allowed_length). `length` is the
// length of the longest suffix of the history that also stands before an earlier occurrence of the id;
// lengths below allowed_length are not penalised. A repetition does not extend back across a sequence
// breaker, and a token whose text contains a breaker is never lowered.
//
// As llama.cpp, except that breakers are found in the text, however it is tokenized; llama.cpp searches for
// one tokenization of them.
#include <array>
#include <cmath>
#include <limits>

#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/stages/history.h"
#include "sampling/stages/stage.h"
#include "sampling/suffix_matches.h"
#include "sampling/text_set.h"
#include "weights/sentence.h"

namespace partita::internal::stages::dry {
namespace {

struct DryNumbers {
  double multiplier = 0, base = 1;
  std::size_t allowed_length = 0, last_n = 0;
};

/// Multiplications only, so that the bits are the same on all machines.
double power(double base, std::size_t exponent) {
  double result = 1;
  for (; exponent != 0; exponent /= 2, base *= base) {
    if (exponent % 2 != 0) result *= base;
  }
  return result;
}

class Dry : public Stage {
 public:
  Dry(const DryNumbers& numbers, std::vector<std::string> breakers, const Vocabulary* vocabulary)
      : numbers_(numbers), breakers_(std::move(breakers)), vocabulary_(vocabulary) {}
  std::string_view name() const override { return "dry"; }
  std::string describe() const override {
    return "dry " + to_text(static_cast<float>(numbers_.multiplier)) + within_last(numbers_.last_n);
  }
  void apply(Candidates& row, const StageContext& context, const StageState*) const override;

 private:
  /// The number of ids after the last one that completes a breaker, at most `most`.
  std::size_t since_breaker(std::span<const std::int32_t> history, std::size_t most) const;
  double penalty(std::size_t length) const;

  DryNumbers numbers_;
  TextSet breakers_;
  const Vocabulary* vocabulary_;
};

void Dry::apply(Candidates& row, const StageContext& context, const StageState*) const {
  const std::span<const std::int32_t> ids = last_of(context.history, numbers_.last_n);
  if (ids.size() < 2) return;
  const std::span<std::uint32_t> matches = grow_to(row.scratch.matches, ids.size() + 1);
  suffix_matches(ids, matches);
  const std::span<const std::uint32_t> earlier = matches.subspan(1, ids.size() - 1);
  const std::size_t longest = *std::max_element(earlier.begin(), earlier.end());
  if (longest < numbers_.allowed_length) return;
  const std::size_t most = since_breaker(context.history, longest);
  if (most < numbers_.allowed_length) return;

  // The longest repetition that each candidate would continue, plus one; 0: none.
  const CandidateCounts lengths(row);
  const auto visit = [&](auto&& take) {
    for (std::size_t k = 1; k < ids.size(); ++k) {
      if (matches[k] < numbers_.allowed_length) continue;
      if (const auto at = row.find(ids[ids.size() - k])) take(*at, std::min<std::size_t>(matches[k], most));
    }
  };
  visit([&](std::size_t at, std::size_t length) {
    lengths[at] = std::max(lengths[at], static_cast<std::uint32_t>(length + 1));
  });
  visit([&](std::size_t at, std::size_t) {
    if (lengths[at] == 0) return;
    if (!breakers_.found_in(text_of(vocabulary_, row.id(at)))) row.add(at, -penalty(lengths[at] - 1));
    lengths[at] = 0;
  });
  row.settle(*context.kernels);
}

std::size_t Dry::since_breaker(std::span<const std::int32_t> history, std::size_t most) const {
  const std::size_t first = history.size() - most;
  // Far enough back that every breaker which ends after `first` is complete.
  std::size_t begin = first;
  for (std::size_t bytes = 0; begin > 0 && bytes + 1 < breakers_.longest();) {
    bytes += text_of(vocabulary_, history[--begin]).size();
  }
  std::size_t since = most;
  TextSet::Run run;
  for (std::size_t i = begin; i < history.size(); ++i) {
    run = breakers_.run(run.state, text_of(vocabulary_, history[i]));
    if (run.completed && i >= first) since = history.size() - 1 - i;
  }
  return since;
}

/// Clamped to finite floats, so that a penalised token remains possible if no other is.
double Dry::penalty(std::size_t length) const {
  const double raised = numbers_.multiplier * power(numbers_.base, length - numbers_.allowed_length);
  return std::min(raised, double{std::numeric_limits<float>::max()});
}

constexpr std::array kOptions = {
    SamplingOption{"dry_multiplier", OptionKind::kNumber, 0,
                   "DRY: strength of the penalty on repetitions; 0: off"},
    SamplingOption{"dry_base", OptionKind::kNumber, 1.75, "DRY: growth of the penalty with their length"},
    SamplingOption{"dry_allowed_length", OptionKind::kWholeNumber, 2,
                   "DRY: length of repetitions without a penalty"},
    SamplingOption{"dry_last_n", OptionKind::kWholeNumber, 0,
                   "DRY: number of last ids that are searched; 0: all"},
    SamplingOption{"dry_sequence_breakers", OptionKind::kTexts, 0,
                   "DRY: text that no repetition crosses; empty: none"}};

MadeStage make(const SamplingOptions& options, const Vocabulary* vocabulary) {
  const float multiplier = options.real("dry_multiplier"), base = options.real("dry_base");
  if (!(multiplier >= 0) || std::isinf(multiplier)) {
    return bad_option("dry_multiplier", to_text(multiplier), "a number of 0 (off) or more");
  }
  if (!(base >= 1) || std::isinf(base)) return bad_option("dry_base", to_text(base), "a number of 1 or more");
  const std::int64_t allowed = options.whole("dry_allowed_length");
  if (allowed < 0) return bad_option("dry_allowed_length", std::to_string(allowed), "0 or more");
  const Result<std::size_t> last = last_n(options, "dry_last_n");
  if (!last) return last.error();
  std::vector<std::string> breakers = {"\n", ":", "\"", "*"};
  if (options.has("dry_sequence_breakers")) breakers = options.texts("dry_sequence_breakers");
  std::erase(breakers, std::string());
  if (const Result<void> checked = check_size("dry_sequence_breakers", breakers); !checked) {
    return checked.error();
  }
  if (multiplier == 0) return no_stage();
  const DryNumbers numbers{multiplier, base, static_cast<std::size_t>(allowed), *last};
  return make_stage<Dry>(numbers, std::move(breakers), vocabulary);
}

}  // namespace

extern const StageDescriptor stage = {
    {"dry", "makes tokens that would continue a repetition less likely, more so the longer it is", kOptions},
    make};

}  // namespace partita::internal::stages::dry
