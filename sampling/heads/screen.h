// The first stage of a two-stage head: bounds of every logit, proven from four bits a weight.
//
// A logit is w . h. With the mean m of hidden states and a basis A, it is w . m + u . g for u = A^T w and
// g = A^-1 (h - m). A row's u is rounded to whole steps, u = step * (n - delta) + e; the estimate takes the
// rounded one, and the error is e . g.
//
// - A is balanced: hidden states and rows of the matrix have the same diagonal covariance in it, largest
//   first (a Karhunen-Loeve basis of both). Rows then have few large components, the first ones, which get
//   eight bits; the others fit steps that are small against the logits.
// - delta is dither: one random shift for each column, the same for all rows. It makes e uniform and
//   independent of u, so that e . g is sub-Gaussian with variance step^2 |g|^2 / 12 and exceeds nine
//   deviations once in 10^17 (Hoeffding 1963; Gray & Stockham 1993). Certificate::kStrict asks no luck:
//   |e . g| <= |e| |g| (Cauchy & Schwarz).
// - What is rounded besides (g to 11 bits where rows have eight, to 8 where they have four, floats, the exact
// product itself) is measured or bounded, and
//   added.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/kernels/parallel.h"
#include "partita/result.hpp"

namespace partita {

/// Dimensions of the basis whose components have eight bits.
inline constexpr std::size_t kWideDims = kScreenWide / 2;

/// What the bounds rest on: chance (below 10^-6 that one of 10^6 tokens x 2^18 rows is outside), or nothing.
/// kNone: there are no bounds, both are the estimate, to its rounding.
enum class Certificate : std::uint8_t { kDithered, kStrict, kNone };

/// First and second moments of hidden states: what a screen is made for. It is right for all states; those
/// like these get narrow bounds.
class HiddenMoments {
 public:
  explicit HiddenMoments(std::size_t hidden_size)
      : size_(hidden_size), sum_(size_), products_(size_ * size_) {}
  /// hidden: [hidden_size], finite.
  void add(const float* hidden);

  std::size_t hidden_size() const { return size_; }
  std::size_t count() const { return count_; }
  std::vector<double> mean() const;
  /// [hidden_size][hidden_size], symmetric.
  std::vector<double> covariance() const;

 private:
  std::size_t size_, count_ = 0;
  std::vector<double> sum_, products_;
};

struct ScreenOptions {
  std::uint64_t seed = 1;  // of the dither
  int threads = 1;
  std::function<bool(float)> progress = nullptr;  // told the fraction done; false stops with kCancelled
};

/// A screen as it is stored.
struct ScreenData {
  std::size_t rows = 0;         // of the matrix: the vocabulary
  std::size_t hidden_size = 0;  // multiple of 32
  std::vector<float> mean;      // [hidden_size]
  std::vector<float> basis;     // A^-1, transposed: [hidden_size in][hidden_size out]
  std::vector<float> mean_row;  // [hidden_size]: taken from every row; a screen is of logits less this . h
  std::vector<float> dither;    // delta: [hidden_size], by dimension of the basis
  AlignedBytes panels;          // ScreenPanels::storage
  // The largest of any row:
  double error = 0;     // |e|, in steps
  double length = 0;    // |u|, in steps
  double narrow = 0;    // the same of u without its wide components
  double residue = 0;   // |(w - mean_row) - u A^-1|
  double norm = 0;      // |w|
  double rounding = 0;  // of the exact product, relative to |w| |h|
};

/// Rows of hidden states as a screen takes them, and room to make them.
class ScreenRows {
 public:
  ScreenRows(std::size_t rows, std::size_t hidden_size);
  /// The first n rows, all of which were asked.
  ScreenQuery query(std::size_t n) const;

 private:
  friend class Screen;
  std::size_t columns_;
  std::vector<std::int16_t> wide_;                                         // [rows][kScreenWide]
  std::vector<std::int8_t> narrow_;                                        // [rows][columns - kScreenWide]
  std::vector<double> turned_;                                             // g: [rows][hidden_size]
  std::vector<float> wide_scale_, narrow_scale_, offset_, reach_, slack_;  // [rows]
};

/// The numbers that the product of one row takes, in the order of columns: its values, or for a quantized
/// matrix its 16-bit integers times their scale. out: [matrix.cols].
void taken_numbers(const PackedMatrix& matrix, const Activations& x, std::size_t row, float* out);

/// The rows of a screen of such a matrix, and the bytes that they take.
constexpr ScreenPanels screen_panels(std::size_t rows, std::size_t hidden_size,
                                     const std::byte* storage = nullptr) {
  return {rows, hidden_size + kWideDims, storage};
}

class Screen {
 public:
  /// Makes a screen of a matrix; takes seconds. Errors: kUnsupported for a shape that no screen has or a type
  /// of fewer than six bits (some have minima, whose rounding no bound here covers),
  /// kInvalidArgument for moments of another size or of fewer states than dimensions, kOutOfMemory,
  /// kCancelled.
  static Result<Screen> make(const PackedMatrix& matrix, const HiddenMoments& moments,
                             const ScreenOptions& options);
  /// Of data that a screen had; check_shape() holds, and no number is larger than 10^7.
  explicit Screen(ScreenData data) : data_(std::move(data)) {}

  /// Error: kUnsupported for a hidden size that no screen has.
  static Result<void> check_shape(std::size_t hidden_size);
  /// What make() refuses before it begins. Error: kUnsupported for the shape or the type.
  static Result<void> check_matrix(const PackedMatrix& matrix);
  static Error no_memory(std::size_t bytes);

  const ScreenData& data() const { return data_; }
  ScreenPanels panels() const;
  std::size_t columns() const { return data_.hidden_size + kWideDims; }

  /// Components [first, last) of g of one row: what the members of a team share out. hidden: [hidden_size],
  /// finite: the numbers that the exact product takes, rounded to float at most once.
  void turn(const float* hidden, std::size_t row, std::size_t first, std::size_t last, const Kernels& kernels,
            ScreenRows& rows) const;
  /// After turn() of all components: the query's row.
  void ask(const float* hidden, std::size_t row, Certificate certificate, ScreenRows& rows) const;

  /// mean_row . hidden: bounds are of logits less this.
  double shift(const float* hidden) const;

 private:
  Screen() = default;
  ScreenData data_;
};

/// All rows of x, quantized if the matrix asks for it, turned and asked, by all workers of a team together;
/// its values are complete before, `rows` after. taken: [x.rows][hidden_size], taken_numbers() of each.
void ask_together(const Worker& worker, const PackedMatrix& matrix, const Screen& screen,
                  Certificate certificate, const Activations& x, const Kernels& kernels, float* taken,
                  ScreenRows& rows);

}  // namespace partita
