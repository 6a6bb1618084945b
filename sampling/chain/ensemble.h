// Ensembles: combines the logits of several models with one vocabulary, for the same position, into one row.
//
// With weights w_i >= 0 that sum to 1 and rows x_i, an id j gets
//   in probability space  log sum_i w_i softmax(x_i)[j], a mixture of the models (a linear opinion pool);
//   in logit space        sum_i w_i x_i[j], after softmax the normalized geometric mean of their
//                         distributions (a logarithmic opinion pool; Genest & Zidek 1986).
// Samplers, temperature included, are applied to the combined row.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"

namespace partita::internal {

inline constexpr std::size_t kMaxEnsemble = 16;

enum class PoolSpace : std::uint8_t { kProbability, kLogit };

class EnsemblePool {
 public:
  /// For members with these weights, at most kMaxEnsemble of them; normalizes the weights to a sum of 1.
  /// Errors: kInvalidArgument naming the member, its weight and the limits.
  static Result<EnsemblePool> create(std::span<const float> weights, PoolSpace space);

  std::size_t members() const { return members_; }

  /// Whether a member contributes to the row. The rows of a member of weight 0 are not read.
  bool counts(std::size_t member) const { return weights_[member] > 0; }

  /// rows: [members][vocab]; out: [vocab]. -inf is a masked entry: in probability space it adds 0 to its
  /// id, and an id is masked if all members mask it; in logit space one masked entry masks the id. Members
  /// are added in their order, in double: the same rows, the same bits. One member in logit space is its own
  /// row, bit for bit. Errors: kBadNumbers naming the member and the entry that is NaN or +inf, or the member
  /// without a finite entry; kInvalidArgument if the sizes do not fit.
  Result<void> combine(std::span<const float> rows, std::span<float> out, const Kernels& kernels) const;

 private:
  EnsemblePool() = default;
  Result<void> add_probabilities(std::span<const float> rows, std::span<float> out,
                                 const Kernels& kernels) const;
  Result<void> add_logits(std::span<const float> rows, std::span<float> out, const Kernels& kernels) const;

  std::size_t members_ = 0;
  std::array<double, kMaxEnsemble> weights_ = {};  // first members_ of it, summing to 1
  PoolSpace space_ = PoolSpace::kProbability;
};

}  // namespace partita::internal
