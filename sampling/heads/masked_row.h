// A row of logits in which all but a few are masked, for questions that need only those few.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "sampling/chain/candidates.h"

namespace partita::internal {

class MaskedRow {
 public:
  static constexpr float kMasked = -std::numeric_limits<float>::infinity();

  explicit MaskedRow(std::size_t vocab) : logits_(vocab, kMasked), maxima_(tiles_of(vocab), kMasked) {}

  void show(std::int32_t id, float value) {
    const auto i = static_cast<std::size_t>(id);
    shown_.push_back(id);  // first, since it may throw; clear() masks what is listed
    logits_[i] = value;
    float& most = maxima_[i / kLogitTile];
    if (value > most || std::isnan(value)) most = value;  // a NaN maximum stays
  }

  /// Masks everything again.
  void clear() {
    for (const std::int32_t id : shown_) {
      logits_[static_cast<std::size_t>(id)] = kMasked;
      maxima_[static_cast<std::size_t>(id) / kLogitTile] = kMasked;
    }
    shown_.clear();
  }

  LogitRow row() const { return {logits_, maxima_}; }

 private:
  std::vector<float> logits_;  // [vocab]
  std::vector<float> maxima_;  // of its logit tiles
  std::vector<std::int32_t> shown_;
};

}  // namespace partita::internal
