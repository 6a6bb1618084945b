#include "sampling/chain/ensemble.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "sampling/chain/numbers.h"
#include "sampling/softmax/softmax.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

constexpr double kMasked = -std::numeric_limits<double>::infinity();

Error of_member(std::size_t member, const Error& error) {
  return at_place(error, "member ", member, " of the ensemble");
}

Result<void> check_weights(std::span<const float> weights) {
  if (weights.empty() || weights.size() > kMaxEnsemble) {
    return invalid("the ensemble has ", weights.size(), " members; it must have 1 to ", kMaxEnsemble);
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] >= 0 && std::isfinite(weights[i])) continue;
    return of_member(i, invalid("the weight is ", to_text(weights[i]), "; it must be finite and at least 0"));
  }
  if (std::all_of(weights.begin(), weights.end(), [](float w) { return w == 0; })) {
    return invalid("all weights of the ensemble are 0; at least one must be above 0");
  }
  return {};
}

/// A row whose entry x adds exp((x - max) - shift) to its id. shift: the row's log-sum less its log-weight.
struct Term {
  const float* row = nullptr;  // [vocab]
  double max = 0, shift = 0;
  double of(std::size_t id) const { return (static_cast<double>(row[id]) - max) - shift; }
};

}  // namespace

Result<EnsemblePool> EnsemblePool::create(std::span<const float> weights, PoolSpace space) {
  TRY(check_weights(weights));
  double sum = 0;
  for (const float weight : weights) sum += static_cast<double>(weight);
  EnsemblePool pool;
  pool.members_ = weights.size();
  pool.space_ = space;
  std::transform(weights.begin(), weights.end(), pool.weights_.begin(),
                 [sum](float weight) { return static_cast<double>(weight) / sum; });
  return pool;
}

Result<void> EnsemblePool::combine(std::span<const float> rows, std::span<float> out,
                                   const Kernels& kernels) const {
  if (out.empty() || rows.size() != members_ * out.size()) {
    return invalid("the ensemble has ", members_, " members, but there are ", rows.size(),
                   " logits for a row of ", out.size());
  }
  return space_ == PoolSpace::kLogit ? add_logits(rows, out, kernels) : add_probabilities(rows, out, kernels);
}

Result<void> EnsemblePool::add_probabilities(std::span<const float> rows, std::span<float> out,
                                             const Kernels& kernels) const {
  std::array<Term, kMaxEnsemble> all;
  std::size_t count = 0;
  for (std::size_t i = 0; i < members_; ++i) {
    if (!counts(i)) continue;
    const auto row = rows.subspan(i * out.size(), out.size());
    const Result<LogPartition> partition = log_partition(row, kernels);
    if (!partition) return of_member(i, partition.error());
    all[count++] = {row.data(), static_cast<double>(partition->max),
                    partition->log_sum - std::log(weights_[i])};
  }
  const auto terms = std::span(all).first(count);
  std::array<double, kMaxEnsemble> logs;
  for (std::size_t id = 0; id < out.size(); ++id) {
    double largest = kMasked;
    for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, logs[i] = terms[i].of(id));
    double sum = 0;
    if (largest > kMasked) {
      for (std::size_t i = 0; i < count; ++i) sum += logs[i] == largest ? 1 : std::exp(logs[i] - largest);
    }
    // A result below the range of floats becomes -inf: masked.
    out[id] = static_cast<float>(sum > 1 ? largest + std::log(sum) : largest);
  }
  return {};
}

Result<void> EnsemblePool::add_logits(std::span<const float> rows, std::span<float> out,
                                      const Kernels& kernels) const {
  for (std::size_t i = 0; i < members_; ++i) {
    if (!counts(i)) continue;
    const auto row = rows.subspan(i * out.size(), out.size());
    if (!std::isfinite(kernels.max(row.data(), row.size()))) return of_member(i, bad_logits(row));
  }
  for (std::size_t id = 0; id < out.size(); ++id) {
    double sum = -0.0;  // so that a sum of one term keeps its bits, also those of -0
    for (std::size_t i = 0; i < members_; ++i) {
      if (counts(i)) sum += weights_[i] * static_cast<double>(rows[i * out.size() + id]);
    }
    out[id] = static_cast<float>(sum);
  }
  return {};
}

}  // namespace partita::internal
