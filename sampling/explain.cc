#include "sampling/explain.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sampling/draw.h"

namespace partita {
namespace {

/// The k largest candidates, largest first, ties by id: where they stand.
std::vector<std::size_t> largest(const Candidates& row, std::size_t k) {
  std::vector<std::size_t> places(row.count());
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
  const std::span<const float> values = row.values();
  const auto end = places.begin() + static_cast<std::ptrdiff_t>(std::min(k, places.size()));
  std::partial_sort(places.begin(), end, places.end(), [&](std::size_t a, std::size_t b) {
    return values[a] != values[b] ? values[a] > values[b] : a < b;
  });
  places.erase(end, places.end());
  return places;
}

/// The sum of weights and the entropy, -sum p log p = log(sum) - sum(w d) / sum, of weights w = exp(d).
struct Spread {
  double sum = 0;
  double entropy = 0;
};
Spread spread_of(Candidates& row, const Kernels& kernels) {
  const double sum = sum_weights(row, kernels, row.scratch.sums);
  const std::span<const float> values = row.values();
  const auto factor = static_cast<double>(row.weight_factor());
  std::array<float, kBlockValues> weights;
  double moment = 0;
  for (std::size_t b = 0; b < row.scratch.sums.size(); ++b) {
    if (row.scratch.sums[b] == 0) continue;
    const std::size_t n = block_weights(row, kernels, b, weights.data());
    for (std::size_t i = 0; i < n; ++i) {
      if (weights[i] == 0) continue;  // masked ones too: 0 log 0 = 0
      const double below = static_cast<double>(values[b * kBlockValues + i]) - static_cast<double>(row.max());
      moment += static_cast<double>(weights[i]) * factor * below;
    }
  }
  return {sum, std::max(0.0, std::log(sum) - moment / sum)};
}

double probability(const Candidates& row, std::size_t place, double sum) {
  const double below = static_cast<double>(row.values()[place]) - static_cast<double>(row.max());
  return std::exp(static_cast<double>(row.weight_factor()) * below) / sum;
}

}  // namespace

StageView view_of(Candidates& row, const Kernels& kernels, std::string stage, std::size_t top) {
  const Spread spread = spread_of(row, kernels);
  StageView view;
  view.stage = std::move(stage);
  const std::span<const float> values = row.values();
  view.candidates = static_cast<std::size_t>(
      std::count_if(values.begin(), values.end(), [](float x) { return !std::isinf(x); }));
  view.entropy = static_cast<float>(spread.entropy);
  for (const std::size_t place : largest(row, top)) {
    if (std::isinf(values[place])) break;
    view.top.emplace_back(row.id(place), static_cast<float>(probability(row, place, spread.sum)));
  }
  return view;
}

Result<Confidence> confidence(const LogitRow& logits, const Kernels& kernels, Candidates& scratch) {
  if (Result<void> started = scratch.start(logits, kernels); !started) return started.error();
  const Spread spread = spread_of(scratch, kernels);
  // The two largest, block after block; blocks whose maximum is below the second so far are passed over.
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  float first = kNone, second = kNone;
  const std::span<const float> values = scratch.values();
  for (std::size_t b = 0; b < scratch.block_maxima().size(); ++b) {
    if (scratch.block_maxima()[b] <= second) continue;
    const std::size_t end = std::min((b + 1) * kBlockValues, values.size());
    for (std::size_t i = b * kBlockValues; i < end; ++i) {
      second = std::max(second, std::min(first, values[i]));
      first = std::max(first, values[i]);
    }
  }
  const double likeliest = 1 / spread.sum;
  const double other = std::exp(static_cast<double>(second) - static_cast<double>(first)) / spread.sum;
  return Confidence{static_cast<float>(likeliest), static_cast<float>(likeliest - other),
                    static_cast<float>(spread.entropy)};
}

void Observer::see(Candidates& row, const Kernels& kernels, std::string stage) {
  Explanation& e = explanation_;
  if (e.views.empty()) {
    const std::vector<std::size_t> two = largest(row, 2);
    if (two.size() == 2 && !std::isinf(row.values()[two[1]])) e.runner_up = row.id(two[1]);
  } else if (e.runner_up >= 0 && e.removed_by.empty()) {
    const std::optional<std::size_t> at = row.find(e.runner_up);
    if (!at || std::isinf(row.values()[*at])) e.removed_by = stage;
  }
  e.views.push_back(view_of(row, kernels, std::move(stage), top_));
}

}  // namespace partita
