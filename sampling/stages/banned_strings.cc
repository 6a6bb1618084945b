// Banned strings: texts that the answer never contains, however it is tokenized. Masks every id whose bytes
// would complete one: they contain it, or the answer so far ends with its beginning and they start with the
// rest. No other id is masked, and the prompt does not count. Bytes are compared exactly: case matters, and a
// part of a UTF-8 character can match.
//
// If every candidate would complete a banned string, the row fails with an error that names this stage.
#include <array>
#include <utility>

#include "sampling/chain/options.h"
#include "sampling/stages/history.h"
#include "sampling/stages/stage.h"
#include "sampling/text_set.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal::stages::banned_strings {
namespace {

using Ids = std::span<const std::int32_t>;

/// A part of Vocabulary::by_text().
struct Range {
  std::size_t first = 0, last = 0;
};

/// The ids whose text starts with `prefix`.
Range starting_with(const Vocabulary& vocabulary, std::string_view prefix) {
  const Ids all = vocabulary.by_text();
  const auto start = [&](std::int32_t id) { return vocabulary.text(id).substr(0, prefix.size()); };
  const auto first = std::lower_bound(all.begin(), all.end(), prefix,
                                      [&](std::int32_t id, std::string_view p) { return start(id) < p; });
  const auto last = std::upper_bound(first, all.end(), prefix,
                                     [&](std::string_view p, std::int32_t id) { return p < start(id); });
  return {static_cast<std::size_t>(first - all.begin()), static_cast<std::size_t>(last - all.begin())};
}

class BannedStrings : public Stage {
 public:
  BannedStrings(std::vector<std::string> texts, const Vocabulary* vocabulary);
  std::string_view name() const override { return "banned_strings"; }
  std::string describe() const override {
    return "banned_strings of " + std::to_string(count_) + (count_ == 1 ? " text" : " texts");
  }
  void apply(Candidates& row, const StageContext& context, const StageState*) const override;

 private:
  TextSet::State state_after(Ids generated) const;
  std::span<const Range> completing(TextSet::State state) const {
    return std::span(completing_).subspan(begins_[state], begins_[state + 1] - begins_[state]);
  }

  std::size_t count_;
  TextSet texts_;
  const Vocabulary* vocabulary_;
  std::vector<std::uint64_t> harmless_;  // one bit per id: its bytes alone complete no text
  std::vector<Range> completing_;        // by state: ids that start with the rest of a begun text
  std::vector<std::size_t> begins_;      // [states + 1], in completing_
};

BannedStrings::BannedStrings(std::vector<std::string> texts, const Vocabulary* vocabulary)
    : count_(texts.size()), texts_(std::move(texts)), vocabulary_(vocabulary) {
  if (vocabulary == nullptr) return;  // no texts are known, so no id is masked
  harmless_.assign((vocabulary->size() + 63) / 64, ~std::uint64_t{0});
  for (const std::int32_t id : vocabulary->by_text()) {
    const auto at = static_cast<std::size_t>(id);
    if (texts_.found_in(vocabulary->text(id))) harmless_[at / 64] &= ~(std::uint64_t{1} << (at % 64));
  }
  begins_.assign(2, 0);  // kNothing: an id that starts with a full text is not harmless
  for (TextSet::State state = 1; state < texts_.states(); ++state) {
    std::size_t covered = 0;  // rests are sorted, so a rest that starts with an earlier one adds no ids
    for (const std::string& text : texts_.begun(state)) {
      if (text.size() == texts_.depth(state)) continue;
      const Range range = starting_with(*vocabulary, std::string_view(text).substr(texts_.depth(state)));
      if (range.first == range.last || range.first < covered) continue;
      completing_.push_back(range);
      covered = range.last;
    }
    begins_.push_back(completing_.size());
  }
}

TextSet::State BannedStrings::state_after(Ids generated) const {
  // No state needs more than the last longest() - 1 bytes.
  std::size_t begin = generated.size();
  for (std::size_t bytes = 0; begin > 0 && bytes + 1 < texts_.longest();) {
    bytes += text_of(vocabulary_, generated[--begin]).size();
  }
  TextSet::State state = TextSet::kNothing;
  for (const std::int32_t id : generated.subspan(begin)) {
    state = texts_.run(state, text_of(vocabulary_, id)).state;
  }
  return state;
}

void BannedStrings::apply(Candidates& row, const StageContext& context, const StageState*) const {
  if (vocabulary_ == nullptr) return;
  row.mask_unset(harmless_);
  const Ids ids = vocabulary_->by_text();
  auto state = state_after(context.history.subspan(context.prompt_size));
  for (; state != TextSet::kNothing; state = texts_.shorter(state)) {
    for (const auto& [first, last] : completing(state)) {
      for (const std::int32_t id : ids.subspan(first, last - first)) {
        if (const auto at = row.find(id)) row.mask(*at);
      }
    }
  }
  row.settle(*context.kernels);
}

constexpr std::array kOptions = {
    SamplingOption{"banned_strings", OptionKind::kTexts, 0, "text that the answer must not contain"}};

MadeStage make(const SamplingOptions& options, const Vocabulary* vocabulary) {
  std::vector<std::string> texts = options.texts("banned_strings");
  if (std::find(texts.begin(), texts.end(), std::string()) != texts.end()) {
    return bad_option("a text of banned_strings", "empty", "at least one byte long");
  }
  TRY(check_size("banned_strings", texts));
  return texts.empty() ? no_stage() : make_stage<BannedStrings>(std::move(texts), vocabulary);
}

}  // namespace

extern const StageDescriptor stage = {
    {"banned_strings", "never lets the answer contain given texts", kOptions}, make};

}  // namespace partita::internal::stages::banned_strings
