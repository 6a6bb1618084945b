// A screen: a second, quantized copy of an LM head's matrix, four bits a weight. It gives a cheap lower and
// upper bound of every logit. A token whose upper bound is below what the choice needs is ruled out; exact
// logits are computed only for the rest (two-stage top-k).
//
// A logit is w . h. With the mean m of hidden states and a basis A, it is w . m + u . g for u = A^T w and
// g = A^-1 (h - m). A row's u is rounded to whole steps, u = step * (n - delta) + e; the estimate uses the
// rounded u, and its error is e . g.
//
// - A is balanced: in it, hidden states and rows of the matrix have the same diagonal covariance, largest
//   first (a Karhunen-Loeve basis of both). Rows then have few large components, the first ones, which get
//   eight bits; the others fit steps that are small compared with the logits.
// - delta is dither: one random shift for each column, the same for all rows. It makes e uniform and
//   independent of u, so that e . g is sub-Gaussian with variance step^2 |g|^2 / 12 and exceeds nine
//   deviations once in 10^17 (Hoeffding 1963; Gray & Stockham 1993). Certificate::kStrict needs no
//   probability: |e . g| <= |e| |g| (Cauchy & Schwarz).
// - Other rounding (of g to 11 bits where rows have eight, to 8 bits where they have four, of floats, and of
//   the exact product itself) is measured or bounded, and added.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/kernels/parallel.h"
#include "partita/result.hpp"
#include "sampling/heads/screen_layout.h"

namespace partita::internal {

/// The guarantee of the bounds. kDithered: they hold with high probability (below 10^-6 that one of 10^6
/// tokens x 2^18 rows is outside). kStrict: they always hold. kNone: both bounds are the estimate, up to its
/// rounding.
enum class Certificate : std::uint8_t { kDithered, kStrict, kNone };

/// A screen as it is stored.
struct ScreenData {
  std::size_t rows = 0;         // of the matrix: the vocabulary
  std::size_t hidden_size = 0;  // multiple of 32
  std::vector<float> mean;      // [hidden_size]
  std::vector<float> basis;     // A^-1, transposed: [hidden_size in][hidden_size out]
  std::vector<float>
      mean_row;               // [hidden_size]: subtracted from every row; bounds are of logits less this . h
  std::vector<float> dither;  // delta: [hidden_size], by dimension of the basis
  AlignedBytes panels;        // ScreenPanels::storage
  // The maximum over all rows of:
  double error = 0;     // |e|, in steps
  double length = 0;    // |u|, in steps
  double narrow = 0;    // the same of u without its wide components
  double residue = 0;   // |(w - mean_row) - u A^-1|
  double norm = 0;      // |w|
  double rounding = 0;  // of the exact product, relative to |w| |h|
};

/// Buffers of a ScreenQuery: quantized hidden states in the basis of a screen.
class ScreenQueries {
 public:
  ScreenQueries(std::size_t rows, std::size_t hidden_size);
  /// The first n rows. Precondition: make_query() was called for each.
  ScreenQuery query(std::size_t n) const;

 private:
  friend class Screen;
  std::size_t columns_;
  std::vector<std::int16_t> wide_;   // [rows][kScreenWide]
  std::vector<std::int8_t> narrow_;  // [rows][columns - kScreenWide]
  std::vector<double> transformed_;  // g: [rows][hidden_size]
  std::vector<float> wide_scale_, narrow_scale_, offset_, error_bound_, slack_;  // [rows]
};

/// The input of the exact product of one row, in the order of columns: its values, or for a quantized matrix
/// its 16-bit integers times their scale. out: [matrix.cols].
void product_input(const PackedMatrix& matrix, const Activations& x, std::size_t row, float* out);

class Screen {
 public:
  /// From stored data. Precondition: check_shape() succeeds, and no number is larger than 10^7.
  explicit Screen(ScreenData data) : data_(std::move(data)) {}

  /// Error: kUnsupported for a hidden size that screens do not support.
  static Result<void> check_shape(std::size_t hidden_size);
  /// The checks of make_screen() that need no work. Error: kUnsupported for the shape or the type.
  static Result<void> check_matrix(const PackedMatrix& matrix);
  static Error no_memory(std::size_t bytes);

  const ScreenData& data() const { return data_; }
  ScreenPanels panels() const;
  std::size_t columns() const { return data_.hidden_size + kWideDims; }

  /// Computes components [first, last) of g for one row; the workers of a team divide the components. hidden:
  /// [hidden_size], finite: product_input(), rounded to float at most once.
  void change_basis(const float* hidden, std::size_t row, std::size_t first, std::size_t last,
                    const Kernels& kernels, ScreenQueries& rows) const;
  /// Makes a row of the query, after change_basis() of all its components.
  void make_query(const float* hidden, std::size_t row, Certificate certificate, ScreenQueries& rows) const;

  /// mean_row . hidden. Bounds are of logits less this.
  double shift(const float* hidden) const;

 private:
  ScreenData data_;
};

/// Makes the queries of all rows of x (quantizes x if the matrix is quantized, then change_basis() and
/// make_query()). All workers call it together; x.values must be complete before, `rows` is after. inputs:
/// [x.rows][hidden_size], receives product_input() of each row.
void make_queries(const Worker& worker, const PackedMatrix& matrix, const Screen& screen,
                  Certificate certificate, const Activations& x, const Kernels& kernels, float* inputs,
                  ScreenQueries& rows);

}  // namespace partita::internal
