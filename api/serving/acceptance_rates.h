// How often draft tokens were accepted, estimated as a moving average for each kind of evidence.
#pragma once

#include <array>
#include <cstddef>

namespace partita::internal {

/// Exponential moving averages, one for each of N buckets. A drafter chooses the bucket of a draft token.
template <std::size_t N>
class AcceptanceRates {
 public:
  /// `first`: the rates before any token is judged. `memory`: tokens that an average takes into account.
  constexpr AcceptanceRates(const std::array<double, N>& first, double memory)
      : rates_(first), memory_(memory) {}

  double of(std::size_t bucket) const { return rates_[bucket]; }
  void learn(std::size_t bucket, bool accepted) {
    rates_[bucket] += ((accepted ? 1.0 : 0.0) - rates_[bucket]) / memory_;
  }

 private:
  std::array<double, N> rates_;
  double memory_;
};

}  // namespace partita::internal
