// An adaptive softmax, part by part. Part 0 is the root: its rows are the words of the shortlist, then the
// clusters; part c is cluster c - 1. What a part gives is log-probabilities of words, the cluster's own
// included, so that a row of them is a row of logits that is normalised already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/output.h"
#include "sampling/heads/products.h"

namespace partita {

/// A part that is wanted for a row.
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

  /// Part 0: [shortlist + clusters]; others: [words]. Null: not computed.
  float* values(std::size_t row, std::size_t part) { return values_[row * parts_ + part]; }

 private:
  friend class AdaptiveParts;
  float* take(std::size_t n);

  std::size_t parts_, pairs_, width_, hidden_, blocks_;
  std::vector<float*> values_;  // [rows][parts], into memory_
  AlignedBytes memory_;
  std::size_t used_ = 0;  // floats of memory_
  ProductScratch products_;
  AlignedBytes gathered_;      // [pairs][hidden]
  AlignedBytes projected_;     // [pairs][width]
  std::vector<float> maxima_;  // [pairs][blocks]
  std::vector<double> sums_;   // [pairs][blocks]
};

class AdaptiveParts {
 public:
  /// Both must outlive it.
  AdaptiveParts(const OutputWeights& weights, const Kernels& kernels);

  std::size_t parts() const { return weights_.clusters.size() + 1; }
  /// Words of a part: [first, first + count) of the places.
  std::size_t words(std::size_t part) const;
  std::size_t first_place(std::size_t part) const;
  std::int32_t id_at(std::size_t place) const {
    return static_cast<std::int32_t>(weights_.id_of.empty() ? place : weights_.id_of[place]);
  }
  std::size_t place_of(std::int32_t id) const {
    const auto i = static_cast<std::size_t>(id);
    return weights_.place_of.empty() ? i : weights_.place_of[i];
  }
  /// Values of part 0: the shortlist, then the clusters.
  std::size_t root_values() const { return weights_.shortlist + weights_.clusters.size(); }
  /// The log-probability of a part other than the root, whose values `root` are.
  float cluster_value(const float* root, std::size_t part) const {
    return root[weights_.shortlist + part - 1];
  }
  /// The part that has the word at a place.
  std::size_t part_of(std::size_t place) const;
  /// Of the weights that computing a part reads.
  std::size_t bytes(std::size_t part) const;

  /// Computes parts of rows, sorted by part, none of which is computed. hidden: [rows][hidden], complete.
  /// Before another part of a row the root must have been computed. All workers call it together.
  void compute(const Worker& worker, std::span<const PartOfRow> wanted, const float* hidden,
               AdaptiveScratch& scratch) const;

 private:
  void compute_some(const Worker& worker, std::span<const PartOfRow> wanted, const float* hidden,
                    AdaptiveScratch& scratch) const;
  const Linear& projection(std::size_t part) const;
  const Linear& rows(std::size_t part) const;
  double log_probability(std::size_t row, std::size_t part, AdaptiveScratch& scratch) const;

  const OutputWeights& weights_;
  const Kernels& kernels_;
};

}  // namespace partita
