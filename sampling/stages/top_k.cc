// Top-k (Fan et al. 2018). TopKLogitsWarper keeps everything that equals the k-th largest logit, so more than
// k ids on ties; here the lowest ids win a tie, and at most k remain.
#include "sampling/stages/top_k.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "sampling/chain/numbers.h"
#include "sampling/chain/options.h"
#include "sampling/stages/stage.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

/// A value that at least k candidates reach: the k-th largest tile maximum, since k tiles each contain such a
/// candidate. The lowest float if there are fewer tiles.
float lower_bound_of_kth(Candidates& row, std::size_t k) {
  constexpr float kLowest = std::numeric_limits<float>::lowest();
  const std::span<const float> maxima = row.tile_maxima();
  const std::span<float> finite = grow_to(row.scratch.values, maxima.size());
  const auto end =
      std::copy_if(maxima.begin(), maxima.end(), finite.begin(), [](float x) { return std::isfinite(x); });
  const std::size_t n = static_cast<std::size_t>(end - finite.begin());
  return n < k ? kLowest : select_largest(finite.first(n), {}, static_cast<double>(k)).least;
}

}  // namespace

void keep_top_k(Candidates& row, std::size_t k) {
  if (k >= row.count()) return;
  const std::span<float> values = row.collect(lower_bound_of_kth(row, k));
  row.keep(select_largest(values, {}, static_cast<double>(k)));
}

std::size_t largest(Candidates& row, std::span<float> out) {
  const float bound = lower_bound_of_kth(row, out.size());
  const float least = select_largest(row.collect(bound), {}, static_cast<double>(out.size())).least;
  std::size_t n = 0, ties = 0;
  for (const float value : row.collect(std::max(bound, least))) {
    if (value > least) out[n++] = value;
    if (value == least) ++ties;
  }
  std::sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(n), std::greater<>());
  while (n < out.size() && ties-- > 0) out[n++] = least;
  return n;
}

namespace stages::top_k {
namespace {

class TopK : public Stage {
 public:
  explicit TopK(std::int64_t k) : k_(k) {}
  std::string_view name() const override { return "top_k"; }
  std::string describe() const override { return "top_k " + std::to_string(k_); }
  void apply(Candidates& row, const StageContext&, const StageState*) const override {
    keep_top_k(row, static_cast<std::size_t>(k_));
  }
  LogitsNeeded logits_needed(const StageContext&) const override {
    return {.kind = LogitsNeeded::kLargest, .count = static_cast<std::size_t>(k_)};
  }

 private:
  std::int64_t k_;
};

constexpr std::array kOptions = {
    SamplingOption{"top_k", OptionKind::kWholeNumber, 0, "keep the k likeliest tokens; 0: all"}};

MadeStage make(const SamplingOptions& options, const Vocabulary*) {
  const std::int64_t k = options.whole("top_k");
  if (k < 0) return bad_option("top_k", std::to_string(k), "0 (off) or more");
  return k == 0 ? no_stage() : make_stage<TopK>(k);
}

}  // namespace

extern const StageDescriptor stage = {{"top_k", "keeps the k likeliest tokens", kOptions}, make, true};

}  // namespace stages::top_k
}  // namespace partita::internal
