// Entropy, Kullback-Leibler divergence and cross-entropy, each as a sum of non-negative terms, so that small
// results keep their precision.
#include "sampling/softmax/divergence.h"

#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "sampling/softmax/row.h"
#include "sampling/softmax/softmax.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Result<void> check_target(std::span<const float> logits, std::int32_t target) {
  if (target >= 0 && static_cast<std::size_t>(target) < logits.size()) return {};
  return invalid("the target is ", target, ", but there are ", logits.size(), " logits");
}

Error about(const char* row, Error error) {
  return {error.code, std::string("in ") + row + ", " + error.message};
}

/// The exponentials of a row, tile by tile, divided by their sum.
class Probabilities {
 public:
  Probabilities(std::span<const float> logits, const LogPartition& partition, const Kernels& kernels)
      : logits_(logits), partition_(partition), kernels_(kernels), inverse_(std::exp(-partition.log_sum)) {}

  void read(std::size_t first, std::size_t n) {
    kernels_.exp_sum(logits_.data() + first, n, partition_.max, 1, e_.data());
  }
  /// The probability of entry i of the last tile read.
  double operator[](std::size_t i) const { return static_cast<double>(e_[i]) * inverse_; }

 private:
  std::span<const float> logits_;
  const LogPartition& partition_;
  const Kernels& kernels_;
  double inverse_;
  std::array<float, kSoftmaxTile> e_;
};

/// p log(p / q) + q - p. Its sum over all entries is the divergence, since p and q each sum to 1. No term is
/// negative, and a small error of log(p / q) that all entries share cancels in the sum.
double divergence_term(double p, double q, double log_ratio) {
  if (std::abs(log_ratio) < 0.5) return p * (std::expm1(-log_ratio) + log_ratio);
  return p * log_ratio + (q - p);
}

}  // namespace

Result<double> entropy(std::span<const float> logits, const Kernels& kernels) {
  const Result<LogPartition> partition = log_partition(logits, kernels);
  if (!partition) return partition.error();
  // -sum(p log p) = log_sum + sum(p (max - x))
  Probabilities p(logits, *partition, kernels);
  double mean_depth = 0;
  for_softmax_tiles(logits.size(), [&](std::size_t first, std::size_t n) {
    p.read(first, n);
    for (std::size_t i = 0; i < n; ++i) {
      const double depth = static_cast<double>(partition->max) - static_cast<double>(logits[first + i]);
      if (p[i] > 0) mean_depth += p[i] * depth;
    }
  });
  return partition->log_sum + mean_depth;
}

Result<double> kl_divergence(std::span<const float> p_logits, std::span<const float> q_logits,
                             const Kernels& kernels) {
  if (p_logits.size() != q_logits.size()) {
    return invalid("p has ", p_logits.size(), " logits, but q has ", q_logits.size());
  }
  const Result<LogPartition> p_partition = log_partition(p_logits, kernels);
  if (!p_partition) return about("p", p_partition.error());
  const Result<LogPartition> q_partition = log_partition(q_logits, kernels);
  if (!q_partition) return about("q", q_partition.error());

  constexpr float kMasked = -std::numeric_limits<float>::infinity();
  Probabilities p(p_logits, *p_partition, kernels), q(q_logits, *q_partition, kernels);
  double sum = 0;
  for_softmax_tiles(p_logits.size(), [&](std::size_t first, std::size_t n) {
    p.read(first, n);
    q.read(first, n);
    for (std::size_t i = 0; i < n; ++i) {
      const float a = p_logits[first + i], b = q_logits[first + i];
      if (a == kMasked) {
        sum += q[i];
      } else if (b == kMasked) {
        sum = kInfinity;
      } else {
        sum += divergence_term(p[i], q[i],
                               p_partition->exact_log_probability(a) - q_partition->exact_log_probability(b));
      }
    }
  });
  return sum;
}

Result<double> cross_entropy(std::span<const float> logits, std::int32_t target, const Kernels& kernels) {
  TRY(check_target(logits, target));
  const Result<LogPartition> partition = log_partition(logits, kernels);
  if (!partition) return partition.error();
  return -partition->exact_log_probability(logits[static_cast<std::size_t>(target)]);
}

Result<double> cross_entropy_gradient(std::span<const float> logits, std::int32_t target,
                                      std::span<float> out, const Kernels& kernels) {
  const Result<double> loss = cross_entropy(logits, target, kernels);
  if (!loss) return loss.error();
  TRY(softmax(logits, out, kernels));
  out[static_cast<std::size_t>(target)] = static_cast<float>(std::expm1(-*loss));
  return *loss;
}

}  // namespace partita::internal
