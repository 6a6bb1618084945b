#include "sampling/heads/screen.h"

#include "weights/sentence.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>

namespace partita::internal {
namespace {

constexpr double kDeviations = 9;        // of the dithered certificate
constexpr double kAboveRounding = 1e-6;  // far above the rounding of sums of a few thousand doubles
constexpr int kMaxWideQuant = 32767, kMaxNarrowQuant = 127;

/// The index of a narrow dimension's byte in a query (kNibbleOrder).
std::size_t byte_of(std::size_t dim) {
  const std::size_t at = dim - kWideDims;
  const auto found = std::find(std::begin(kNibbleOrder), std::end(kNibbleOrder), at % 8);
  return at / 8 * 8 + static_cast<std::size_t>(found - std::begin(kNibbleOrder));
}

}  // namespace

ScreenQueries::ScreenQueries(std::size_t rows, std::size_t hidden_size)
    : columns_(hidden_size + kWideDims),
      wide_(rows * kScreenWide),
      narrow_(rows * (columns_ - kScreenWide)),
      transformed_(rows * hidden_size),
      wide_scale_(rows),
      narrow_scale_(rows),
      offset_(rows),
      error_bound_(rows),
      slack_(rows) {}

ScreenQuery ScreenQueries::query(std::size_t n) const {
  return {n,
          columns_,
          wide_.data(),
          narrow_.data(),
          wide_scale_.data(),
          narrow_scale_.data(),
          offset_.data(),
          error_bound_.data(),
          slack_.data()};
}

void product_input(const PackedMatrix& matrix, const Activations& x, std::size_t row, float* out) {
  const std::size_t cols = matrix.cols;
  if (!matrix.quantized()) return void(std::copy_n(x.values + row * cols, cols, out));
  const std::int16_t* const q = x.q + row * quant_stride(cols);
  for (std::size_t i = 0; i < cols; ++i)
    out[i / 8 * 8 + static_cast<std::size_t>(kPairOrder[i % 8])] = static_cast<float>(q[i]) * x.scale[row];
}

Result<void> Screen::check_shape(std::size_t hidden_size) {
  if (hidden_size % kGroupCols == 0 && hidden_size >= kWideDims && hidden_size + kWideDims <= kMaxScreenCols)
    return {};
  return Error{ErrorCode::kUnsupported,
               sentence("a screen needs a hidden size that is a multiple of 32 up to ",
                        kMaxScreenCols - kWideDims, ", not for ", hidden_size)};
}

Result<void> Screen::check_matrix(const PackedMatrix& matrix) {
  if (!matrix.quantized() || matrix.layout.bits >= 6) return check_shape(matrix.cols);
  return Error{
      ErrorCode::kUnsupported,
      sentence("a screen needs an LM head of at least six bits per weight; it would save nothing with ",
               name(matrix.dtype), ": use the full head")};
}

Error Screen::no_memory(std::size_t bytes) {
  return {ErrorCode::kOutOfMemory, sentence("a screen needs ", bytes, " bytes, and memory ran out")};
}

ScreenPanels Screen::panels() const {
  return screen_panels(data_.rows, data_.hidden_size, data_.panels.data());
}

void Screen::change_basis(const float* hidden, std::size_t row, std::size_t first, std::size_t last,
                          const Kernels& kernels, ScreenQueries& rows) const {
  const std::size_t size = data_.hidden_size;
  kernels.change_basis(hidden, data_.mean.data(), size, data_.basis.data() + first, size, last - first,
                       rows.transformed_.data() + row * size + first);
}

void Screen::make_query(const float* hidden, std::size_t row, Certificate certificate,
                        ScreenQueries& rows) const {
  const std::size_t size = data_.hidden_size;
  const double* const g = rows.transformed_.data() + row * size;
  double most_wide = 0, most_narrow = 0;
  for (std::size_t i = 0; i < size; ++i) {
    double& most = is_wide(i) ? most_wide : most_narrow;
    most = std::max(most, std::abs(g[i]));
  }
  const float wide_scale = std::max(static_cast<float>(most_wide * kWideFactor / kMaxWideQuant), 1e-30F);
  const float narrow_scale = std::max(static_cast<float>(most_narrow / kMaxNarrowQuant), 1e-30F);

  std::int16_t* const wide = rows.wide_.data() + row * kScreenWide;
  std::int8_t* const narrow = rows.narrow_.data() + row * (columns() - kScreenWide);
  double offset = 0, length = 0, missed_wide = 0, missed_narrow = 0, states = 0, centred = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const auto scale = static_cast<double>(is_wide(i) ? wide_scale : narrow_scale);
    const double limit = is_wide(i) ? kMaxWideQuant / kWideFactor : kMaxNarrowQuant;
    const double rounded = std::rint(g[i] / scale);
    const double n = rounded >= -limit ? std::min(rounded, limit) : -limit;  // a number even if g is NaN
    if (is_wide(i)) {
      wide[i] = static_cast<std::int16_t>(kWideFactor * n);
      wide[place_of(i)] = static_cast<std::int16_t>(n);
    } else {
      narrow[byte_of(i)] = static_cast<std::int8_t>(n);
    }
    const double used = n * scale;
    offset += used * (zero_of(i) + static_cast<double>(data_.dither[i]));
    length += used * used;
    (is_wide(i) ? missed_wide : missed_narrow) += (g[i] - used) * (g[i] - used);
    const auto h = static_cast<double>(hidden[i]), x = h - static_cast<double>(data_.mean[i]);
    states += h * h;
    centred += x * x;
  }
  const double deviations =
      certificate == Certificate::kDithered ? kDeviations / std::sqrt(12.0) : data_.error;
  const double bounded = certificate == Certificate::kNone ? 0 : 1;
  const double error_bound = deviations * std::sqrt(length) + data_.length * std::sqrt(missed_wide) +
                             data_.narrow * std::sqrt(missed_narrow);
  const double slack = data_.rounding * data_.norm * std::sqrt(states) + data_.residue * std::sqrt(centred);
  rows.wide_scale_[row] = wide_scale;
  rows.narrow_scale_[row] = narrow_scale;
  rows.offset_[row] = static_cast<float>(offset);
  rows.error_bound_[row] = static_cast<float>(bounded * error_bound * (1 + kAboveRounding));
  rows.slack_[row] = static_cast<float>(bounded * slack * (1 + kAboveRounding));
}

double Screen::shift(const float* hidden) const {
  double sum = 0;
  for (std::size_t i = 0; i < data_.hidden_size; ++i) {
    sum += static_cast<double>(data_.mean_row[i]) * static_cast<double>(hidden[i]);
  }
  return sum;
}

void make_queries(const Worker& worker, const PackedMatrix& matrix, const Screen& screen,
                  Certificate certificate, const Activations& x, const Kernels& kernels, float* inputs,
                  ScreenQueries& rows) {
  const auto [first_row, last_row] = worker.share(x.rows);
  if (matrix.quantized()) kernels.quantize(x, first_row, last_row);
  for (std::size_t r = first_row; r < last_row; ++r) product_input(matrix, x, r, inputs + r * x.cols);
  worker.wait();
  const auto [first_dim, last_dim] = worker.share(x.cols, 8);
  for (std::size_t r = 0; r < x.rows; ++r)
    screen.change_basis(inputs + r * x.cols, r, first_dim, last_dim, kernels, rows);
  worker.wait();
  const auto [mine, end] = worker.share(x.rows);
  for (std::size_t r = mine; r < end; ++r) screen.make_query(inputs + r * x.cols, r, certificate, rows);
  worker.wait();
}

}  // namespace partita::internal
