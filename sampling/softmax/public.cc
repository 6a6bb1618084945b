// partita/softmax.hpp: the softmax family with the kernel table chosen for this machine.
#include <cmath>
#include <limits>

#include "engine/kernels/dispatch.h"
#include "sampling/chain/noise.h"
#include "sampling/chain/numbers.h"
#include "sampling/softmax/divergence.h"
#include "sampling/softmax/gumbel.h"
#include "sampling/softmax/online.h"
#include "sampling/softmax/row.h"
#include "sampling/softmax/softmax.h"
#include "sampling/softmax/sparse.h"
#include "weights/catch_all.h"

namespace partita {
using namespace internal;
namespace {

/// f(table), or the error of choosing a table. Choosing a table and writing an error message allocate memory.
template <class F>
auto with_table(F&& f) -> decltype(f(exact_kernels())) {
  return catch_all([&]() -> decltype(f(exact_kernels())) {
    const Result<const Kernels*> table = family_kernels();
    if (!table) return table.error();
    return f(**table);
  });
}

}  // namespace

Result<void> softmax(std::span<const float> logits, std::span<float> probabilities) {
  return with_table([&](const Kernels& k) { return softmax(logits, probabilities, k); });
}

Result<void> log_softmax(std::span<const float> logits, std::span<float> out) {
  return with_table([&](const Kernels& k) { return log_softmax(logits, out, k); });
}

Result<double> log_sum_exp(std::span<const float> logits) {
  return with_table([&](const Kernels& k) -> Result<double> {
    const Result<LogPartition> partition = log_partition(logits, k);
    if (!partition) return partition.error();
    return partition->log_sum_exp;
  });
}

Result<void> OnlineSoftmax::add(std::span<const float> piece) {
  return with_table([&](const Kernels& k) { return add_piece(*this, piece, k); });
}

Result<void> OnlineSoftmax::probabilities(std::span<const float> piece, std::span<float> out) const {
  return with_table([&](const Kernels& k) { return piece_probabilities(*this, piece, out, k); });
}

Result<SparseSupport> entmax(std::span<const float> logits, double alpha, std::span<float> probabilities) {
  return with_table([&](const Kernels& k) { return entmax(logits, alpha, probabilities, k); });
}

Result<SparseSupport> sparsemax(std::span<const float> logits, std::span<float> probabilities) {
  return entmax(logits, 2, probabilities);
}

Result<double> entropy(std::span<const float> logits) {
  return with_table([&](const Kernels& k) { return entropy(logits, k); });
}

Result<double> kl_divergence(std::span<const float> p_logits, std::span<const float> q_logits) {
  return with_table([&](const Kernels& k) { return kl_divergence(p_logits, q_logits, k); });
}

Result<double> cross_entropy(std::span<const float> logits, std::int32_t target) {
  return with_table([&](const Kernels& k) { return cross_entropy(logits, target, k); });
}

Result<double> cross_entropy_gradient(std::span<const float> logits, std::int32_t target,
                                      std::span<float> out) {
  return with_table([&](const Kernels& k) { return cross_entropy_gradient(logits, target, out, k); });
}

Result<std::int32_t> gumbel_max(std::span<const float> logits, const DrawKey& key) {
  return with_table([&](const Kernels& k) { return gumbel_max(logits, key, k); });
}

Result<std::int32_t> argmax(std::span<const float> logits) {
  float best = -std::numeric_limits<float>::infinity();
  std::size_t at = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!is_logit(logits[i])) return catch_all([&]() -> Result<std::int32_t> { return bad_logits(logits); });
    if (logits[i] > best) {
      best = logits[i];
      at = i;
    }
  }
  if (std::isinf(best)) return catch_all([&]() -> Result<std::int32_t> { return bad_logits(logits); });
  return static_cast<std::int32_t>(at);
}

double gumbel_noise(const DrawKey& key, std::int32_t id) noexcept {
  const Noise noise(key);
  return noise.of(noise.tile(static_cast<std::size_t>(id) / kNoiseTile), id);
}

}  // namespace partita
