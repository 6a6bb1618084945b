// Ensembles: one row of logits out of those that several models of one vocabulary give for the same place.
//
// With weights w_i >= 0 that sum to 1 and rows x_i, an id j gets
//   in probability space  log sum_i w_i softmax(x_i)[j], a mixture of the models (a linear opinion pool);
//   in logit space        sum_i w_i x_i[j], after softmax the normalized geometric mean of their
//                         distributions (a logarithmic opinion pool; Genest & Zidek 1986).
// Whatever chooses from the row, temperature included, comes after: it is joint.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"

namespace partita {

inline constexpr std::size_t kMaxEnsemble = 16;

enum class PoolSpace : std::uint8_t { kProbability, kLogit };

class EnsemblePool {
 public:
  /// Of members with these weights, at most kMaxEnsemble of them, which are brought to a sum of 1. Errors:
  /// kInvalidArgument naming the member, its weight and the limits.
  static Result<EnsemblePool> create(std::span<const float> weights, PoolSpace space);

  std::size_t members() const { return members_; }

  /// Whether a member has a part in the row at all; of one whose weight is 0 nothing is looked at.
  bool counts(std::size_t member) const { return weights_[member] > 0; }

  /// rows: [members][vocab]; out: [vocab]. -inf is a masked entry: in probability space it adds nothing to
  /// its id, which is masked if it is masked in all; in logit space one masked entry masks the id. Members
  /// are added in their order, in double: the same rows, the same bits. One member in logit space is its own
  /// row, bit for bit. Errors: kBadNumbers naming the member and the entry that is NaN or +inf, or the member
  /// in which nothing is finite; kInvalidArgument where the sizes do not fit.
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

}  // namespace partita
