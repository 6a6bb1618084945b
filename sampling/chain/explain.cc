#include "sampling/chain/explain.h"

#include <algorithm>
#include <cmath>

#include "sampling/chain/surprisal.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// The indices of the k largest candidates, largest first, ties by id.
std::vector<std::size_t> largest(const Candidates& row, std::size_t k) {
  std::vector<std::size_t> indices(row.count());
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = i;
  const std::span<const float> values = row.values();
  const auto end = indices.begin() + static_cast<std::ptrdiff_t>(std::min(k, indices.size()));
  std::partial_sort(indices.begin(), end, indices.end(), [&](std::size_t a, std::size_t b) {
    return values[a] != values[b] ? values[a] > values[b] : a < b;
  });
  indices.erase(end, indices.end());
  return indices;
}

double probability(const Candidates& row, std::size_t index, double sum) {
  const double below = static_cast<double>(row.values()[index]) - static_cast<double>(row.max());
  return std::exp(row.weight_factor() * below) / sum;
}

}  // namespace

StageView view_of(Candidates& row, const Kernels& kernels, std::string stage, std::size_t top) {
  const SurprisalStatistics surprisal = surprisal_statistics(row, kernels);
  StageView view;
  view.stage = std::move(stage);
  const std::span<const float> values = row.values();
  view.candidates = static_cast<std::size_t>(
      std::count_if(values.begin(), values.end(), [](float x) { return !std::isinf(x); }));
  view.entropy = static_cast<float>(surprisal.entropy());
  for (const std::size_t index : largest(row, top)) {
    if (std::isinf(values[index])) break;
    view.top.emplace_back(row.id(index), static_cast<float>(probability(row, index, surprisal.weights)));
  }
  return view;
}

Result<Confidence> confidence(const LogitRow& logits, const Kernels& kernels, Candidates& scratch) {
  TRY(scratch.start(logits, kernels));
  const SurprisalStatistics surprisal = surprisal_statistics(scratch, kernels);
  // The two largest, tile by tile; skips tiles whose maximum is not above the second largest so far.
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  float first = kNone, second = kNone;
  const std::span<const float> values = scratch.values();
  for (std::size_t b = 0; b < scratch.tile_maxima().size(); ++b) {
    if (scratch.tile_maxima()[b] <= second) continue;
    const std::size_t end = std::min((b + 1) * kLogitTile, values.size());
    for (std::size_t i = b * kLogitTile; i < end; ++i) {
      second = std::max(second, std::min(first, values[i]));
      first = std::max(first, values[i]);
    }
  }
  const double likeliest = 1 / surprisal.weights;
  const double other = std::exp(static_cast<double>(second) - static_cast<double>(first)) / surprisal.weights;
  return Confidence{static_cast<float>(likeliest), static_cast<float>(likeliest - other),
                    static_cast<float>(surprisal.entropy())};
}

void Observer::record(Candidates& row, const Kernels& kernels, std::string stage) {
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

}  // namespace partita::internal
