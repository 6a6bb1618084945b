#include "api/quantize/type_choice.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace partita::internal {
namespace {

double gain(const TypeChoice& from, const TypeChoice& to) {
  return (from.cost - to.cost) / static_cast<double>(to.bytes - from.bytes);
}

/// The choices on the lower convex hull of (bytes, cost): from one to the next a byte gains less and less.
std::vector<TypeChoice> worth_their_bytes(std::vector<TypeChoice> choices) {
  std::stable_sort(choices.begin(), choices.end(), [](const TypeChoice& a, const TypeChoice& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.cost < b.cost;
  });
  std::vector<TypeChoice> hull;
  for (const TypeChoice& choice : choices) {
    if (!hull.empty() && choice.cost >= hull.back().cost) continue;
    while (hull.size() > 1 && gain(hull[hull.size() - 2], hull.back()) <= gain(hull.back(), choice))
      hull.pop_back();
    hull.push_back(choice);
  }
  return hull;
}

}  // namespace

TypeChooser::TypeChooser(std::vector<std::vector<TypeChoice>> choices) : choices_(std::move(choices)) {
  for (std::size_t tensor = 0; tensor < choices_.size(); ++tensor) {
    std::vector<TypeChoice>& own = choices_[tensor];
    own = worth_their_bytes(std::move(own));
    least_ += own.front().bytes;
    most_ += own.back().bytes;
    for (std::size_t to = 1; to < own.size(); ++to)
      steps_.push_back({tensor, to, gain(own[to - 1], own[to])});
  }
  // Stable: a tensor's own steps have falling gains, and stay in order where two are equal.
  std::stable_sort(steps_.begin(), steps_.end(),
                   [](const Step& a, const Step& b) { return a.gain > b.gain; });
}

std::vector<TypeChoice> TypeChooser::within(std::uint64_t bytes) const {
  std::vector<std::size_t> at(choices_.size(), 0);
  std::uint64_t taken = least_;
  for (const Step& step : steps_) {
    if (step.to != at[step.tensor] + 1) continue;  // an earlier step did not fit
    const std::vector<TypeChoice>& own = choices_[step.tensor];
    const std::uint64_t more = own[step.to].bytes - own[step.to - 1].bytes;
    if (taken + more > bytes) continue;
    taken += more;
    at[step.tensor] = step.to;
  }
  std::vector<TypeChoice> chosen;
  for (std::size_t tensor = 0; tensor < at.size(); ++tensor) chosen.push_back(choices_[tensor][at[tensor]]);
  return chosen;
}

std::uint64_t bytes_of(std::span<const TypeChoice> chosen) {
  return std::accumulate(chosen.begin(), chosen.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const TypeChoice& choice) { return sum + choice.bytes; });
}

double cost_of(std::span<const TypeChoice> chosen) {
  return std::accumulate(chosen.begin(), chosen.end(), 0.0,
                         [](double sum, const TypeChoice& choice) { return sum + choice.cost; });
}

}  // namespace partita::internal
