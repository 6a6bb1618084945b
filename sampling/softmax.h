// The softmax family over one row of logits. Usable without any model.
//
// -inf is a masked entry (probability exactly 0). A row that holds NaN or +inf, or in which nothing is
// finite, is an error (kBadNumbers), never a distribution. All reductions run in a fixed order: the same row,
// the same bits.
#pragma once

#include <cstdint>
#include <span>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"

namespace partita {

/// max and log(sum(exp(x))) of a row; computed once, shared by everything below.
struct LogPartition {
  float max = 0;
  double log_sum_exp = 0;
  double log_sum = 0;  // log(sum(exp(x - max))): keeps its bits beside a max of any size
  float log_probability(float logit) const {
    return static_cast<float>(static_cast<double>(logit) - static_cast<double>(max) - log_sum);
  }
};

/// Errors: kBadNumbers naming the first bad index and its value, or that nothing is finite.
Result<LogPartition> log_partition(std::span<const float> logits, const Kernels& kernels);

/// probabilities[i] = exp(logits[i] - log_sum_exp), summing to 1 within float rounding. In place allowed.
Result<void> softmax(std::span<const float> logits, std::span<float> probabilities, const Kernels& kernels);

/// out[i] = logits[i] - log_sum_exp. In place allowed.
Result<void> log_softmax(std::span<const float> logits, std::span<float> out, const Kernels& kernels);

/// The largest logit; the lowest id wins a tie.
Result<std::int32_t> argmax(std::span<const float> logits);

}  // namespace partita
