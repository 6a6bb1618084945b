#include "engine/layers/routing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "engine/limits.h"

namespace partita::internal {
namespace {

constexpr double kExcluded = -std::numeric_limits<double>::infinity();

/// The ids of the largest values, descending; of equal ones the lower ids.
void pick_largest(std::span<const double> values, std::span<std::uint32_t> ids) {
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    std::size_t at = count < ids.size() ? count++ : ids.size();
    for (; at > 0 && values[i] > values[ids[at - 1]]; --at) {
      if (at < ids.size()) ids[at] = ids[at - 1];
    }
    if (at < ids.size()) ids[at] = i;
  }
}

/// The largest value, or the sum of the two largest.
double score_of_group(std::span<const double> values, bool two) {
  double first = kExcluded, second = kExcluded;
  for (const double value : values) {
    second = std::max(second, std::min(first, value));
    first = std::max(first, value);
  }
  return two && values.size() > 1 ? first + second : first;
}

/// Excludes all but the best groups.
void keep_best_groups(const Routing& routing, bool two, std::span<double> values) {
  std::array<double, kMaxExperts> scores;
  std::array<std::uint32_t, kMaxExperts> best;
  std::array<bool, kMaxExperts> kept;
  const std::size_t size = values.size() / routing.groups;
  for (std::size_t g = 0; g < routing.groups; ++g) {
    scores[g] = score_of_group(values.subspan(g * size, size), two);
    kept[g] = false;
  }
  pick_largest({scores.data(), routing.groups}, {best.data(), routing.used_groups});
  for (std::size_t i = 0; i < routing.used_groups; ++i) kept[best[i]] = true;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!kept[i / size]) values[i] = kExcluded;
  }
}

void fill_scores(Routing::Scores kind, std::span<const float> logits, std::span<double> scores) {
  if (kind == Routing::Scores::kSigmoid) {
    std::transform(logits.begin(), logits.end(), scores.begin(),
                   [](double logit) { return 1 / (1 + std::exp(-logit)); });
    return;
  }
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) sum += scores[i] = std::exp(logits[i] - most);
  for (double& score : scores) score /= sum;
}

/// One after the other: the largest logit of those that are left, with its softmax over those of them that
/// are near it.
void mix_sparsely(std::span<const float> logits, std::uint32_t row, std::span<Routed> chosen) {
  constexpr double kNear = 2 * 0.01;  // relative; router_jitter_noise, for which files have no key
  std::array<double, kMaxExperts> copy;
  const std::span<double> left(copy.data(), logits.size());
  std::copy(logits.begin(), logits.end(), left.begin());
  for (Routed& one : chosen) {
    std::uint32_t best = 0;
    pick_largest(left, {&best, 1});
    const double most = left[best];
    double sum = 0;
    for (const double logit : left) {
      if (!((most - logit) / std::max(std::abs(logit), most) > kNear)) sum += std::exp(logit - most);
    }
    one = {best, row, static_cast<float>(1 / sum)};
    left[best] = kExcluded;
  }
}

}  // namespace

void route(const Routing& routing, std::span<const float> logits, std::span<const float> bias,
           std::uint32_t row, std::span<Routed> chosen) {
  if (routing.scores == Routing::Scores::kSparseMixer) {
    mix_sparsely(logits, row, chosen);
  } else {
    std::array<double, kMaxExperts> scores, values;
    std::array<std::uint32_t, kMaxExperts> ids;
    const std::span<double> of_choice(values.data(), logits.size());
    fill_scores(routing.scores, logits, {scores.data(), logits.size()});
    for (std::size_t i = 0; i < logits.size(); ++i) values[i] = scores[i] + (bias.empty() ? 0.0F : bias[i]);
    if (routing.groups > 1) keep_best_groups(routing, !bias.empty(), of_choice);
    pick_largest(of_choice, {ids.data(), chosen.size()});

    double sum = 0;
    for (std::size_t i = 0; i < chosen.size(); ++i) sum += scores[ids[i]];
    constexpr double kLeast = 1e-20;  // if all scores of the chosen are 0
    const double factor = routing.scale / (routing.normalized ? std::max(sum, kLeast) : 1);
    for (std::size_t i = 0; i < chosen.size(); ++i)
      chosen[i] = {ids[i], row, static_cast<float>(scores[ids[i]] * factor)};
  }
  std::sort(chosen.begin(), chosen.end(),
            [](const Routed& a, const Routed& b) { return a.expert < b.expert; });
}

}  // namespace partita::internal
