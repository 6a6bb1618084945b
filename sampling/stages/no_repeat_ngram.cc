// No repeated n-grams (Paulus et al. 2017): masks every id that would complete an n-gram that is already in
// the history, prompt included. As NoRepeatNGramLogitsProcessor, in time linear in the history.
#include <array>

#include "sampling/chain/options.h"
#include "sampling/stages/stage.h"
#include "sampling/suffix_matches.h"
#include "weights/sentence.h"

namespace partita::internal::stages::no_repeat_ngram {
namespace {

class NoRepeatNgram : public Stage {
 public:
  explicit NoRepeatNgram(std::size_t size) : size_(size) {}
  std::string_view name() const override { return "no_repeat_ngram"; }
  std::string describe() const override { return "no_repeat_ngram " + std::to_string(size_); }

  void apply(Candidates& row, const StageContext& context, const StageState*) const override {
    const std::span<const std::int32_t> ids = context.history;
    if (ids.size() < size_) return;
    const std::span<std::uint32_t> matches = grow_to(row.scratch.matches, ids.size() + 1);
    suffix_matches(ids, matches);
    for (std::size_t k = 1; k <= ids.size(); ++k) {
      if (matches[k] + 1 < size_) continue;
      if (const auto at = row.find(ids[ids.size() - k])) row.mask(*at);
    }
    row.settle(*context.kernels);
  }

 private:
  std::size_t size_;
};

constexpr std::array kOptions = {SamplingOption{"no_repeat_ngram_size", OptionKind::kWholeNumber, 0,
                                                "no n-gram of N ids twice, prompt included; 0: off"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  const std::int64_t size = options.whole("no_repeat_ngram_size");
  if (size < 0) return bad_option("no_repeat_ngram_size", std::to_string(size), "0 (off) or more");
  return size == 0 ? no_stage() : make_stage<NoRepeatNgram>(static_cast<std::size_t>(size));
}

}  // namespace

extern const StageDescriptor stage = {
    {"no_repeat_ngram", "masks tokens that would repeat n tokens in a row", kOptions}, make};

}  // namespace partita::internal::stages::no_repeat_ngram
