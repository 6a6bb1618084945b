#include "sampling/softmax.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "sampling/numbers.h"

namespace partita {
namespace {

// Sums are taken in float inside Kernels::exp_sum over this many entries, in double across them.
constexpr std::size_t kBlock = 256;

/// y = exp(x - shift), or the sum alone where y is null.
double exp_sum(std::span<const float> x, float shift, float* y, const Kernels& kernels) {
  double sum = 0;
  for (std::size_t first = 0; first < x.size(); first += kBlock) {
    sum += kernels.exp_sum(x.data() + first, std::min(kBlock, x.size() - first), shift, 1.0F,
                           y == nullptr ? nullptr : y + first);
  }
  return sum;
}

/// The largest logit. Errors: those of log_partition.
Result<float> finite_max(std::span<const float> logits, const Kernels& kernels) {
  const float max =
      logits.empty() ? -std::numeric_limits<float>::infinity() : kernels.max(logits.data(), logits.size());
  if (!std::isfinite(max)) return bad_logits(logits);
  return max;
}

Result<void> check_sizes(std::size_t in, std::size_t out) {
  if (in == out) return {};
  return Error{ErrorCode::kInvalidArgument, "the output has room for " + std::to_string(out) +
                                                " values, but there are " + std::to_string(in) + " logits"};
}

}  // namespace

Result<LogPartition> log_partition(std::span<const float> logits, const Kernels& kernels) {
  const Result<float> max = finite_max(logits, kernels);
  if (!max) return max.error();
  const double log_sum = std::log(exp_sum(logits, *max, nullptr, kernels));
  return LogPartition{*max, static_cast<double>(*max) + log_sum, log_sum};
}

Result<void> softmax(std::span<const float> logits, std::span<float> probabilities, const Kernels& kernels) {
  if (Result<void> sizes = check_sizes(logits.size(), probabilities.size()); !sizes) return sizes;
  const Result<float> max = finite_max(logits, kernels);
  if (!max) return max.error();
  const double sum = exp_sum(logits, *max, probabilities.data(), kernels);
  for (float& p : probabilities) p = static_cast<float>(static_cast<double>(p) / sum);
  return {};
}

Result<void> log_softmax(std::span<const float> logits, std::span<float> out, const Kernels& kernels) {
  if (Result<void> sizes = check_sizes(logits.size(), out.size()); !sizes) return sizes;
  const Result<LogPartition> partition = log_partition(logits, kernels);
  if (!partition) return partition.error();
  std::transform(logits.begin(), logits.end(), out.begin(),
                 [&](float x) { return partition->log_probability(x); });
  return {};
}

Result<std::int32_t> argmax(std::span<const float> logits) {
  float best = -std::numeric_limits<float>::infinity();
  std::size_t at = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!is_logit(logits[i])) return bad_logits(logits);
    if (logits[i] > best) {
      best = logits[i];
      at = i;
    }
  }
  if (std::isinf(best)) return bad_logits(logits);
  return static_cast<std::int32_t>(at);
}

}  // namespace partita
