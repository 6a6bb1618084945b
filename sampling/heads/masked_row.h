// A row of logits in which all is masked but a few: what a question is answered from that needs no more.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "sampling/chain/candidates.h"

namespace partita {

class MaskedRow {
 public:
  static constexpr float kMasked = -std::numeric_limits<float>::infinity();

  explicit MaskedRow(std::size_t vocab) : logits_(vocab, kMasked), maxima_(blocks_of(vocab), kMasked) {}

  void show(std::int32_t id, float value) {
    const auto i = static_cast<std::size_t>(id);
    shown_.push_back(id);  // first, as it may throw: clear() masks whatever is listed
    logits_[i] = value;
    float& most = maxima_[i / kBlockValues];
    if (value > most || std::isnan(value)) most = value;  // what is NaN stays so
  }

  /// Masks everything again.
  void clear() {
    for (const std::int32_t id : shown_) {
      logits_[static_cast<std::size_t>(id)] = kMasked;
      maxima_[static_cast<std::size_t>(id) / kBlockValues] = kMasked;
    }
    shown_.clear();
  }

  LogitRow row() const { return {logits_, maxima_}; }

 private:
  std::vector<float> logits_;  // [vocab]
  std::vector<float> maxima_;  // of its blocks
  std::vector<std::int32_t> shown_;
};

}  // namespace partita
