#include "sampling/chain/explain.h"

#include <algorithm>
#include <cmath>

#include "sampling/chain/surprisal.h"

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

double probability(const Candidates& row, std::size_t place, double sum) {
  const double below = static_cast<double>(row.values()[place]) - static_cast<double>(row.max());
  return std::exp(row.weight_factor() * below) / sum;
}

}  // namespace

StageView view_of(Candidates& row, const Kernels& kernels, std::string stage, std::size_t top) {
  const Spread spread_of_row = spread(row, kernels);
  StageView view;
  view.stage = std::move(stage);
  const std::span<const float> values = row.values();
  view.candidates = static_cast<std::size_t>(
      std::count_if(values.begin(), values.end(), [](float x) { return !std::isinf(x); }));
  view.entropy = static_cast<float>(spread_of_row.entropy());
  for (const std::size_t place : largest(row, top)) {
    if (std::isinf(values[place])) break;
    view.top.emplace_back(row.id(place), static_cast<float>(probability(row, place, spread_of_row.weights)));
  }
  return view;
}

Result<Confidence> confidence(const LogitRow& logits, const Kernels& kernels, Candidates& scratch) {
  if (Result<void> started = scratch.start(logits, kernels); !started) return started.error();
  const Spread spread_of_row = spread(scratch, kernels);
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
  const double likeliest = 1 / spread_of_row.weights;
  const double other =
      std::exp(static_cast<double>(second) - static_cast<double>(first)) / spread_of_row.weights;
  return Confidence{static_cast<float>(likeliest), static_cast<float>(likeliest - other),
                    static_cast<float>(spread_of_row.entropy())};
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
