// An adaptive softmax, computed part by part. Part 0 is the root: its rows are the words of the shortlist,
// then the clusters; part c is cluster c - 1. The values of a part are log-probabilities of words and include
// that of the cluster, so they serve as normalised logits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/output.h"
#include "sampling/heads/products.h"

namespace partita::internal {

/// A part of the softmax for one row.
struct PartOfRow {
  std::uint32_t part = 0;
  std::uint32_t row = 0;
};

/// Log-probabilities of the parts that were computed, for up to `rows` rows.
class AdaptiveScratch {
 public:
  AdaptiveScratch(const OutputWeights& weights, std::size_t rows, int threads);
  bool ok() const;

  /// Forgets all rows.
  void clear();

  /// Part 0: [shortlist + clusters]; other parts: [words]. Null: not computed.
  float* values(std::size_t row, std::size_t part) { return values_[row * parts_ + part]; }

 private:
  friend class AdaptiveParts;
  float* take(std::size_t n);

  std::size_t parts_, pairs_, width_, hidden_, tiles_;
  std::vector<float*> values_;  // [rows][parts], into memory_
  AlignedBytes memory_;
  std::size_t used_ = 0;  // floats of memory_
  ProductScratch products_;
  AlignedBytes gathered_;      // [pairs][hidden]
  AlignedBytes projected_;     // [pairs][width]
  std::vector<float> maxima_;  // [pairs][tiles]
  std::vector<double> sums_;   // [pairs][tiles]
};

class AdaptiveParts {
 public:
  /// Both must outlive it.
  AdaptiveParts(const OutputWeights& weights, const Kernels& kernels);

  std::size_t parts() const { return weights_.clusters.size() + 1; }
  /// The number of words of a part; their ranks are [first_rank, first_rank + words).
  std::size_t words(std::size_t part) const;
  std::size_t first_rank(std::size_t part) const;
  std::int32_t id_at(std::size_t rank) const {
    return static_cast<std::int32_t>(weights_.id_of.empty() ? rank : weights_.id_of[rank]);
  }
  std::size_t rank_of(std::int32_t id) const {
    const auto i = static_cast<std::size_t>(id);
    return weights_.rank_of.empty() ? i : weights_.rank_of[i];
  }
  /// The number of values of part 0: the shortlist, then the clusters.
  std::size_t root_values() const { return weights_.shortlist + weights_.clusters.size(); }
  /// The log-probability of a part other than the root. root: the values of part 0.
  float cluster_value(const float* root, std::size_t part) const {
    return root[weights_.shortlist + part - 1];
  }
  /// The part with the word of a rank.
  std::size_t part_of(std::size_t rank) const;
  /// Bytes of weights that computing a part reads.
  std::size_t bytes(std::size_t part) const;

  /// Computes parts of rows, sorted by part, none of them computed yet. The root of a row must be computed
  /// before its other parts. hidden: [rows][hidden], complete. All workers call it together.
  void compute(const Worker& worker, std::span<const PartOfRow> requested, const float* hidden,
               AdaptiveScratch& scratch) const;

 private:
  void compute_some(const Worker& worker, std::span<const PartOfRow> requested, const float* hidden,
                    AdaptiveScratch& scratch) const;
  const Linear& projection(std::size_t part) const;
  const Linear& rows(std::size_t part) const;
  double log_probability(std::size_t row, std::size_t part, AdaptiveScratch& scratch) const;

  const OutputWeights& weights_;
  const Kernels& kernels_;
};

}  // namespace partita::internal
