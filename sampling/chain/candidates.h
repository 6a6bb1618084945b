// The candidate tokens of one row of logits while samplers (logits processors) filter them.
//
// Candidates stay in ascending id order from the first stage to the draw, so that no result depends on how a
// filter found them. A row begins as a view of the logits, with every id a candidate; it is copied only when
// a stage filters or changes it. The temperature is stored as a factor: no filter here needs divided logits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/kernels/kernels.h"
#include "partita/result.hpp"
#include "sampling/chain/select.h"

namespace partita::internal {

/// The number of candidates in a logit tile. Each tile has one maximum and one partial sum: a stage skips
/// most tiles by their maxima, and the tiles fix the order of every sum.
inline constexpr std::size_t kLogitTile = 256;

/// Logits [vocab] and, where their producer computed them, the maxima of their logit tiles (NaN for a tile
/// that holds NaN). Without maxima, Candidates computes them when needed.
struct LogitRow {
  LogitRow() = default;
  LogitRow(std::span<const float> all, std::span<const float> maxima = {})
      : logits(all), tile_maxima(maxima) {}
  LogitRow(const std::vector<float>& all) : logits(all) {}

  std::span<const float> logits;
  std::span<const float> tile_maxima;
};

/// The number of logit tiles of n candidates.
constexpr std::size_t tiles_of(std::size_t n) { return (n + kLogitTile - 1) / kLogitTile; }

/// The first n entries of a buffer, which grows if it is smaller and never shrinks, so that steady decoding
/// neither clears nor allocates it.
template <class T>
std::span<T> grow_to(std::vector<T>& buffer, std::size_t n) {
  if (buffer.size() < n) buffer.resize(n);
  return std::span<T>(buffer).first(n);
}

class Candidates {
 public:
  /// Begins a row: every id, at temperature 1. The viewed logits must stay unchanged until the draw. Errors:
  /// kBadNumbers naming the first NaN or +inf, or that nothing is finite.
  Result<void> start(const LogitRow& row, const Kernels& kernels);

  /// The number of ids, candidates or not: the size of the logits.
  std::size_t vocab() const { return vocab_; }
  std::size_t count() const { return count_; }
  bool full() const { return full_; }

  /// [count], in ascending id order. The logit of candidate i is values()[i] * inverse_temperature().
  std::span<const float> values() const { return {values_, count_}; }
  std::int32_t id(std::size_t i) const { return full_ ? static_cast<std::int32_t>(i) : ids_[i]; }

  /// The index of an id among the candidates, if it still is one.
  std::optional<std::size_t> find(std::int32_t id) const;

  /// The largest value. Finite unless a stage masked every candidate or made bad numbers.
  float max() const { return max_; }
  /// The index of the first candidate whose value is max(), so the lowest id of a tie. Precondition: max() is
  /// finite.
  std::size_t best() const;

  double inverse_temperature() const { return inverse_temperature_; }
  void divide_by(double temperature) { inverse_temperature_ /= temperature; }

  /// The factor for Kernels::exp_sum, such that weights are exp(factor * (value - max())):
  /// inverse_temperature(), clamped so that it is finite and not 0 as a float, and no temperature makes a
  /// NaN.
  double weight_factor() const { return weight_factor(inverse_temperature_); }
  static double weight_factor(double inverse_temperature);

  /// Drops all candidates except those of the cut. Masked candidates (-inf) are always dropped.
  void keep(const Cut& cut);

  /// Drops all candidates except those from `least` to `most`. Both are finite, and some candidate has
  /// `most`.
  void keep_between(float least, float most);

  /// Replaces the values of all candidates by scratch.values [count].
  void replace(const Kernels& kernels);

  /// Replaces the value of one candidate by a float that is not +inf. After the last change, call settle()
  /// before any other use of the row.
  void set(std::size_t i, float value);
  /// Adds `amount` to the logit, at any temperature so far. The sum is clamped to finite floats unless one of
  /// the two is -inf. Needs settle() likewise.
  void add(std::size_t i, double amount);
  void mask(std::size_t i) { set(i, -std::numeric_limits<float>::infinity()); }
  /// Masks every candidate whose bit is 0: id 64 w + b has bit b of word w. Ids past the words stay.
  void mask_unset(std::span<const std::uint64_t> words);
  void settle(const Kernels& kernels);

  /// Sets the error of the row; for a stage that fails for another reason than bad numbers.
  void fail(Error problem) { problem_ = std::move(problem); }
  /// Empty if no stage has failed.
  const std::optional<Error>& problem() const { return problem_; }

  /// The values not below `least`, which is finite, in scratch.values.
  std::span<float> collect(float least);

  /// The maxima of the logit tiles of a full row; empty for another row.
  std::span<const float> tile_maxima() const { return full_ ? maxima_ : std::span<const float>(); }

  /// Memory for the current stage. A stage must not rely on its content, except `counts`.
  struct Scratch {
    std::vector<float> values;
    std::vector<float> weights;
    std::vector<double> sums;
    std::vector<std::uint32_t> matches;
    std::vector<std::uint64_t> words;
    std::vector<std::uint32_t> counts;  // all 0 between stages: the stage that counts clears it
  };
  Scratch scratch;

 private:
  void find_max(const Kernels& kernels);
  /// The value of candidate i in this object's own memory; copies the caller's logits at the first change.
  float& own(std::size_t i);

  /// Calls visit(i) in order for every candidate whose value is at least `least`, and possibly for others.
  template <class Visit>
  void visit_from(float least, Visit&& visit) const;

  const float* values_ = nullptr;  // the caller's logits, or logits_
  std::size_t vocab_ = 0;
  std::size_t count_ = 0;
  bool full_ = false;  // ids are 0 .. count-1; ids_ is not filled in
  double inverse_temperature_ = 1;
  float max_ = 0;
  std::vector<std::int32_t> ids_;  // first count_ of it
  std::vector<float> logits_;      // first count_ of it, when values_ points here
  std::span<const float> maxima_;  // of a full row: the caller's, or own_maxima_
  std::vector<float> own_maxima_;  // NaN between set() and settle()
  std::optional<Error> problem_;
};

}  // namespace partita::internal
