// The softmax family over one row of logits with the caller's kernel table, for use inside the library:
// softmax here, the others in headers of their own. partita/softmax.hpp has the same functions without that
// argument and documents each one.
//
// -inf is a masked entry (probability exactly 0). A row that holds NaN or +inf, or in which nothing is
// finite, is an error (kBadNumbers), never a distribution. All reductions run in a fixed order: the same row,
// the same bits.
#pragma once

#include <cstdint>
#include <span>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"
#include "partita/softmax.hpp"

namespace partita::internal {

/// max and log(sum(exp(x))) of a row: the normalizer that the functions below share.
struct LogPartition {
  float max = 0;
  double log_sum_exp = 0;
  double log_sum = 0;  // log(sum(exp(x - max))): keeps its bits beside a max of any size
  float log_probability(float logit) const { return static_cast<float>(exact_log_probability(logit)); }
  double exact_log_probability(float logit) const {
    return static_cast<double>(logit) - static_cast<double>(max) - log_sum;
  }
};

/// log_sum has a relative error of at most 3e-7, however far one logit exceeds all others. Errors:
/// kBadNumbers naming the first bad index and its value, or saying that nothing is finite.
Result<LogPartition> log_partition(std::span<const float> logits, const Kernels& kernels);

Result<void> softmax(std::span<const float> logits, std::span<float> probabilities, const Kernels& kernels);
Result<void> log_softmax(std::span<const float> logits, std::span<float> out, const Kernels& kernels);

}  // namespace partita::internal
