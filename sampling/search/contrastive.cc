#include "sampling/search/contrastive.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace partita::internal {
namespace {

/// In double, with four sums so that no addition depends on the previous one.
double dot(const float* a, const float* b, std::size_t n) {
  std::array<double, 4> sums = {};
  std::size_t i = 0;
  for (; i + sums.size() <= n; i += sums.size()) {
    for (std::size_t lane = 0; lane < sums.size(); ++lane) {
      sums[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
    }
  }
  for (; i < n; ++i) sums[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

void HiddenHistory::normalise(const float* hidden) {
  const double length = std::sqrt(dot(hidden, hidden, width_));
  const double factor = length > 0 ? 1 / length : 0;
  for (std::size_t i = 0; i < width_; ++i) {
    unit_[i] = static_cast<float>(static_cast<double>(hidden[i]) * factor);
  }
}

void HiddenHistory::add(const float* hidden) {
  normalise(hidden);
  states_.insert(states_.end(), unit_.begin(), unit_.end());
}

double HiddenHistory::closest(const float* hidden) {
  normalise(hidden);
  double most = -1;
  for (std::size_t at = 0; at < states_.size(); at += width_) {
    most = std::max(most, dot(unit_.data(), states_.data() + at, width_));
  }
  return most;
}

std::size_t choose_contrastive(std::span<const ContrastiveCandidate> candidates, double alpha) {
  const auto value = [&](const ContrastiveCandidate& c) {
    return (1 - alpha) * c.probability - alpha * c.closest;
  };
  const auto best = std::max_element(candidates.begin(), candidates.end(),
                                     [&](const auto& a, const auto& b) { return value(a) < value(b); });
  return static_cast<std::size_t>(best - candidates.begin());
}

}  // namespace partita::internal
