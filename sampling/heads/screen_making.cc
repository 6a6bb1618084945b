// Computes the balanced basis and rounds the rows of the matrix in it.
#include "sampling/heads/screen_making.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#define EIGEN_DONT_PARALLELIZE  // the threads are ours
#include <Eigen/Eigenvalues>
#include <Eigen/LU>

#include "engine/kernels/parallel.h"
#include "sampling/chain/philox.h"
#include "sampling/heads/screen_layout.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using RowVector = Eigen::RowVectorXd;

/// A^-1 and A of the balanced basis. hidden, rows: covariances.
struct Basis {
  Matrix inverse, forward;
};

/// The eigenvalues of a covariance, raised to a minimum relative to their mean.
Eigen::VectorXd held_up(const Eigen::VectorXd& values, double least) {
  return values.cwiseMax(least * std::max(values.mean(), 1e-30));
}

Basis balanced_basis(const Matrix& hidden, const Matrix& rows) {
  const Eigen::SelfAdjointEigenSolver<Matrix> states(hidden);
  const Eigen::VectorXd deviation = held_up(states.eigenvalues(), 1e-5).cwiseSqrt();
  const Matrix half = states.eigenvectors() * deviation.asDiagonal() * states.eigenvectors().transpose();
  const Matrix inverse_half =
      states.eigenvectors() * deviation.cwiseInverse().asDiagonal() * states.eigenvectors().transpose();
  const Eigen::SelfAdjointEigenSolver<Matrix> both(half * rows * half);
  const Eigen::VectorXd root = held_up(both.eigenvalues(), 1e-9).cwiseSqrt().cwiseSqrt();
  Basis basis;  // largest first
  basis.inverse = (root.asDiagonal() * both.eigenvectors().transpose() * inverse_half).colwise().reverse();
  basis.inverse = basis.inverse.cast<float>().cast<double>();  // as it is stored
  basis.forward = basis.inverse.inverse();
  return basis;
}

/// Rows of the matrix less their mean, a panel at a time.
class CentredRows {
 public:
  explicit CentredRows(const PackedMatrix& matrix) : matrix_(&matrix), mean_(RowVector::Zero(cols())) {
    RowVector row(cols());
    for (std::size_t r = 0; r < matrix.rows; ++r) mean_ += whole(r, row);
    mean_ = (mean_ / static_cast<double>(matrix.rows)).cast<float>().cast<double>();
  }

  const RowVector& mean() const { return mean_; }
  double norm(std::size_t r) const {
    RowVector row(cols());
    return whole(r, row).norm();
  }

  /// [rows of the panel][hidden]
  Matrix panel(std::size_t p) const {
    const std::size_t first = p * kPanelRows, n = std::min<std::size_t>(kPanelRows, matrix_->rows - first);
    Matrix panel_rows(n, cols());
    RowVector row(cols());
    for (std::size_t i = 0; i < n; ++i)
      panel_rows.row(static_cast<Eigen::Index>(i)) = whole(first + i, row) - mean_;
    return panel_rows;
  }

  Matrix covariance() const {
    // Samples 32 k rows from the entire matrix: the basis need not be exact.
    const std::size_t every = std::max<std::size_t>(matrix_->panels() / 2048, 1);
    Matrix sum = Matrix::Zero(cols(), cols());
    Eigen::Index count = 0;
    for (std::size_t p = 0; p < matrix_->panels(); p += every) {
      const Matrix panel_rows = panel(p);
      sum.selfadjointView<Eigen::Lower>().rankUpdate(panel_rows.transpose());
      count += panel_rows.rows();
    }
    sum.triangularView<Eigen::StrictlyUpper>() = sum.transpose();
    return sum / static_cast<double>(count);
  }

 private:
  Eigen::Index cols() const { return static_cast<Eigen::Index>(matrix_->cols); }
  const RowVector& whole(std::size_t r, RowVector& row) const {
    std::vector<float> values(matrix_->cols);
    unpack_row(*matrix_, r, values.data());
    row = Eigen::Map<const Eigen::RowVectorXf>(values.data(), cols()).cast<double>();
    return row;
  }

  const PackedMatrix* matrix_;
  RowVector mean_;
};

/// Maxima over the rows that one thread rounds.
struct Extremes {
  double error = 0, length = 0, narrow = 0, centred = 0, norm = 0;
  void take(const Extremes& other) {
    error = std::max(error, other.error);
    length = std::max(length, other.length);
    narrow = std::max(narrow, other.narrow);
    centred = std::max(centred, other.centred);
    norm = std::max(norm, other.norm);
  }
};

void put_quant(std::byte* quants, std::size_t lane, std::size_t place, unsigned quant) {
  const ScreenPlace at = screen_place(lane, place);
  std::uint32_t word;
  std::memcpy(&word, quants + at.byte, sizeof word);
  word |= quant << at.shift;
  std::memcpy(quants + at.byte, &word, sizeof word);
}

/// Rounds one row's u to steps and writes its quants; returns its step.
float round_row(const Eigen::Ref<const RowVector>& u, const std::vector<float>& dither, std::byte* quants,
                std::size_t lane, Extremes& extremes) {
  const auto wide = static_cast<Eigen::Index>(kWideDims);
  const double least =
      std::max(u.head(wide).cwiseAbs().maxCoeff() / kWideRange,
               u.size() == wide ? 0 : u.tail(u.size() - wide).cwiseAbs().maxCoeff() / kNarrowRange);
  // Rounded up, so that the quants stay in range.
  const float step = std::max(std::nextafter(static_cast<float>(least), 1e30F), 1e-30F);
  double error = 0;
  for (Eigen::Index i = 0; i < u.size(); ++i) {
    const auto dim = static_cast<std::size_t>(i);
    const double shift = zero_of(dim) + static_cast<double>(dither[dim]);
    const double most = is_wide(dim) ? 255 : 15;
    const double n = std::clamp(std::floor(u[i] / static_cast<double>(step) + shift + 0.5), 0.0, most);
    const double e = u[i] / static_cast<double>(step) - (n - shift);
    error += e * e;
    const auto quant = static_cast<unsigned>(n);
    if (is_wide(dim)) put_quant(quants, lane, dim, quant / kWideFactor);
    put_quant(quants, lane, place_of(dim), quant % kWideFactor);
  }
  extremes.error = std::max(extremes.error, std::sqrt(error));
  extremes.length = std::max(extremes.length, u.norm() / static_cast<double>(step));
  extremes.narrow = std::max(extremes.narrow, u.tail(u.size() - wide).norm() / static_cast<double>(step));
  return step;
}

/// A bound of the relative error of the exact product: one rounding for each scale or column, and 16 more.
double rounding_of(const PackedMatrix& matrix) {
  const std::size_t scales = matrix.layout.scale == ScaleKind::kSuperI8 ? 2 : 1;  // of a group
  const std::size_t sums = matrix.quantized() ? scales * matrix.cols / kGroupCols : matrix.cols;
  return static_cast<double>(sums + 16) * 0x1p-24;
}

Eigen::Map<const RowVector> as_row(const std::vector<double>& values) {
  return {values.data(), static_cast<Eigen::Index>(values.size())};
}

}  // namespace

void HiddenMoments::add(const float* hidden) {
  ++count_;
  for (std::size_t i = 0; i < size_; ++i) {
    const auto x = static_cast<double>(hidden[i]);
    sum_[i] += x;
    double* const row = products_.data() + i * size_;
    for (std::size_t j = 0; j < size_; ++j) row[j] += x * static_cast<double>(hidden[j]);
  }
}

std::vector<double> HiddenMoments::mean() const {
  std::vector<double> mean = sum_;
  for (double& x : mean) x /= static_cast<double>(std::max<std::size_t>(count_, 1));
  return mean;
}

std::vector<double> HiddenMoments::covariance() const {
  const std::vector<double> m = mean();
  std::vector<double> c = products_;
  for (std::size_t i = 0; i < size_; ++i) {
    for (std::size_t j = 0; j < size_; ++j) {
      c[i * size_ + j] =
          c[i * size_ + j] / static_cast<double>(std::max<std::size_t>(count_, 1)) - m[i] * m[j];
    }
  }
  return c;
}

Result<Screen> make_screen(const PackedMatrix& matrix, const HiddenMoments& moments,
                           const ScreenOptions& options) {
  const std::size_t size = matrix.cols;
  TRY(Screen::check_matrix(matrix));
  if (moments.hidden_size() != size || moments.count() < size) {
    return invalid("a screen for a hidden size of ", size,
                   " needs at least as many hidden states of that size, not ", moments.count(), " of size ",
                   moments.hidden_size());
  }

  const auto goes_on = [&](float fraction) { return !options.progress || options.progress(fraction); };
  const Error stopped{ErrorCode::kCancelled, "preparing the screen was stopped"};
  const CentredRows rows(matrix);
  const std::vector<double> covariance = moments.covariance();
  const auto n = static_cast<Eigen::Index>(size);
  if (!goes_on(0)) return stopped;
  const Basis basis = balanced_basis(Eigen::Map<const Matrix>(covariance.data(), n, n), rows.covariance());

  ScreenData data;
  data.rows = matrix.rows;
  data.hidden_size = size;
  const std::vector<double> exact_mean = moments.mean();
  data.mean.assign(exact_mean.begin(), exact_mean.end());
  data.mean_row.assign(rows.mean().begin(), rows.mean().end());
  data.basis.resize(size * size);
  Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>>(data.basis.data(), n, n) =
      basis.inverse.cast<float>();
  for (std::size_t i = 0; i < size; ++i) {
    data.dither.push_back(static_cast<float>(uniform({options.seed, 0, i}) - 0.5));
  }
  data.rounding = rounding_of(matrix);
  const ScreenPanels panels = screen_panels(data.rows, size);
  data.panels = AlignedBytes(panels.bytes());
  if (data.panels.data() == nullptr) return Screen::no_memory(panels.bytes());

  const std::vector<double> mean(data.mean.begin(), data.mean.end());
  std::vector<Extremes> extremes(static_cast<std::size_t>(std::max(options.threads, 1)));
  std::vector<std::exception_ptr> thrown(extremes.size());  // a parallel region must not throw
  std::atomic<bool> cancelled = !goes_on(0);
  const auto round_share = [&](const Worker& worker) {
    const auto [first, last] = worker.share(panels.panels());
    Extremes& own = extremes[static_cast<std::size_t>(worker.index)];
    for (std::size_t p = first; p < last && !cancelled; ++p) {
      if (worker.index == 0 && p % 64 == 0 &&
          !goes_on(static_cast<float>(p - first) / static_cast<float>(last - first))) {
        cancelled = true;
      }
      const Matrix panel_rows = rows.panel(p), turned = panel_rows * basis.forward;
      std::byte* const quants = data.panels.data() + p * panels.panel_bytes();
      float tail[2 * kPanelRows] = {};
      std::fill(tail + kPanelRows, tail + 2 * kPanelRows, kNoScreenRow);
      for (Eigen::Index i = 0; i < panel_rows.rows(); ++i) {
        const auto lane = static_cast<std::size_t>(i);
        tail[lane] = round_row(turned.row(i), data.dither, quants, lane, own);
        tail[kPanelRows + lane] = static_cast<float>(panel_rows.row(i).dot(as_row(mean)));
        own.centred = std::max(own.centred, panel_rows.row(i).norm());
        own.norm = std::max(own.norm, rows.norm(p * kPanelRows + lane));
      }
      std::memcpy(quants + panels.quant_bytes(), tail, sizeof tail);
    }
  };
  parallel(options.threads, [&](const Worker& worker) {
    try {
      round_share(worker);
    } catch (...) {
      thrown[static_cast<std::size_t>(worker.index)] = std::current_exception();
      cancelled = true;
    }
  });
  for (const std::exception_ptr& failure : thrown) {
    if (failure != nullptr) std::rethrow_exception(failure);
  }
  if (cancelled) return stopped;

  Extremes all;
  for (const Extremes& one : extremes) all.take(one);
  const Matrix identity = basis.forward * basis.inverse;
  const double inexact = (identity - Matrix::Identity(n, n)).norm() +
                         static_cast<double>(size) * 0x1p-52 * basis.forward.norm() * basis.inverse.norm();
  data.error = all.error;
  data.length = all.length;
  data.narrow = all.narrow;
  data.norm = all.norm;
  data.residue = all.centred * inexact;
  return Screen(std::move(data));
}

}  // namespace partita::internal
