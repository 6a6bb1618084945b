// The candidates that a row has left on its way through a chain of stages.
//
// They stay in ascending id order from the first stage to the draw, so that nothing ever depends on how a
// filter found them. A row begins as a view of the logits, every id a candidate; it is copied only when a
// stage filters or changes it. The temperature is a factor kept aside, for no filter here needs the divided
// logits.
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

namespace partita {

/// Candidates under one maximum and one partial sum: what lets a stage pass over most of a vocabulary, and
/// what fixes the order of every sum.
inline constexpr std::size_t kBlockValues = 256;

/// Logits [vocab] and, where whoever wrote them has them at hand, the maxima of their blocks of kBlockValues
/// (NaN for a block that holds NaN); no maxima: they are found when they are needed.
struct LogitRow {
  LogitRow() = default;
  LogitRow(std::span<const float> all, std::span<const float> maxima = {})
      : logits(all), block_maxima(maxima) {}
  LogitRow(const std::vector<float>& all) : logits(all) {}

  std::span<const float> logits;
  std::span<const float> block_maxima;
};

/// How many blocks n candidates make.
constexpr std::size_t blocks_of(std::size_t n) { return (n + kBlockValues - 1) / kBlockValues; }

/// The first n entries of a buffer that grows when it must and never shrinks, so that no token clears or
/// allocates it.
template <class T>
std::span<T> room(std::vector<T>& buffer, std::size_t n) {
  if (buffer.size() < n) buffer.resize(n);
  return std::span<T>(buffer).first(n);
}

class Candidates {
 public:
  /// Begins a row: every id at temperature 1. What `row` views must stay as it is until the draw. Errors:
  /// kBadNumbers naming the first NaN or +inf, or that nothing is finite.
  Result<void> start(const LogitRow& row, const Kernels& kernels);

  /// How many ids there are, candidates or not: the size of the logits.
  std::size_t vocab() const { return vocab_; }
  std::size_t count() const { return count_; }
  bool full() const { return full_; }

  /// [count], in ascending id order. The logit of candidate i is values()[i] * inverse_temperature().
  std::span<const float> values() const { return {values_, count_}; }
  std::int32_t id(std::size_t i) const { return full_ ? static_cast<std::int32_t>(i) : ids_[i]; }

  /// Where an id stands among the candidates, if it still is one.
  std::optional<std::size_t> find(std::int32_t id) const;

  /// The largest value. Finite unless a stage broke the row.
  float max() const { return max_; }
  /// The first candidate whose value is max(): of equals, the lowest id. Precondition: max() is finite.
  std::size_t best() const;

  double inverse_temperature() const { return inverse_temperature_; }
  void divide_by(double temperature) { inverse_temperature_ /= temperature; }

  /// The factor of Kernels::exp_sum under which weights are exp(factor * (value - max())):
  /// inverse_temperature(), held to numbers whose floats are finite and not 0, so that no temperature makes a
  /// NaN.
  double weight_factor() const { return weight_factor(inverse_temperature_); }
  static double weight_factor(double inverse_temperature);

  /// Drops all candidates but those of the cut, and masked ones (-inf) always.
  void keep(const Cut& cut);

  /// Drops all candidates but those from `least` to `most`, both of which are finite and one has `most`.
  void keep_between(float least, float most);

  /// Gives every candidate the value at its place in scratch.values [count].
  void replace(const Kernels& kernels);

  /// Gives single candidates another value, none larger than any float. After the last one, settle() must
  /// follow before anything else is asked of the row.
  void set(std::size_t i, float value);
  /// The same with `amount` added to the logit, whatever the temperature so far; sums are held to finite
  /// floats unless one of the two is -inf.
  void add(std::size_t i, double amount);
  void mask(std::size_t i) { set(i, -std::numeric_limits<float>::infinity()); }
  /// mask() of every candidate whose bit is 0: id 64 w + b has bit b of word w; ids past the words stay.
  void mask_unset(std::span<const std::uint64_t> words);
  void settle(const Kernels& kernels);

  /// Says why the row cannot go on; for a stage that fails for other reasons than its numbers.
  void fail(Error problem) { problem_ = std::move(problem); }
  /// Nothing where no stage has failed.
  const std::optional<Error>& problem() const { return problem_; }

  /// The values not below `least`, which is finite, in scratch.values.
  std::span<float> collect(float least);

  /// Of a full row: the maxima of its blocks of kBlockValues. Else empty.
  std::span<const float> block_maxima() const { return full_ ? maxima_ : std::span<const float>(); }

  /// Memory for whoever works on the row; no content is expected from one call to the next.
  struct Scratch {
    std::vector<float> values;
    std::vector<float> weights;
    std::vector<double> sums;
    std::vector<std::uint32_t> matches;
    std::vector<std::uint64_t> words;
    std::vector<std::uint32_t> counts;  // unlike the others 0 wherever nobody is at work: who counts, clears
  };
  Scratch scratch;

 private:
  void find_max(const Kernels& kernels);
  /// The value of candidate i, in memory of this row.
  float& own(std::size_t i);

  /// Calls visit(i) at least for every candidate whose value is not below `least`, in order.
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

}  // namespace partita
