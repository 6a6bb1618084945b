// Sparsemax (Martins & Astudillo 2016) and alpha-entmax (Peters, Niculae & Martins 2019).
//
// With e = alpha - 1, d = logit - max <= 0 and q the largest probability,
//
//   p(d) = (t + e d)^(1/e) = q (1 + e d / t)^(1/e) where t + e d > 0, else 0;   t = q^e.
//
// The one unknown is log q in [-log n, 0], and the sum of p increases with it. An id more than 1/e below the
// maximum has p = 0, so the sums cover few ids of a vocabulary. The second form stays precise for alpha near
// 1, where it becomes q exp(d).
#include "sampling/softmax/sparse.h"

#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "sampling/chain/numbers.h"
#include "sampling/softmax/row.h"
#include "sampling/softmax/softmax.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

/// The logits within `depth_limit` of the maximum, relative to it. If they exceed kCapacity, each pass reads
/// the row again.
class Near {
 public:
  Near(std::span<const float> logits, float max, double depth_limit, const Kernels& kernels)
      : logits_(logits), max_(max), least_(-depth_limit) {
    for_softmax_tiles(logits.size(), [&](std::size_t first, std::size_t n) {
      if (!fits_ || depth(kernels.max(logits.data() + first, n)) <= least_) return;
      for (const float x : logits.subspan(first, n)) keep(depth(x));
    });
  }

  /// Calls f(d) for every value above `least`, in the order of the row.
  template <class F>
  void each(double least, F&& f) const {
    const double bound = std::max(least, least_);
    if (fits_) {
      for (std::size_t i = 0; i < count_; ++i) {
        if (kept_[i] > bound) f(kept_[i]);
      }
      return;
    }
    for (const float x : logits_) {
      if (const double d = depth(x); d > bound) f(d);
    }
  }

 private:
  static constexpr std::size_t kCapacity = 2048;

  double depth(float x) const { return static_cast<double>(x) - static_cast<double>(max_); }

  void keep(double d) {
    if (d <= least_ || !fits_) return;
    if (count_ == kCapacity) {
      fits_ = false;
      return;
    }
    kept_[count_++] = d;
  }

  std::span<const float> logits_;
  float max_;
  double least_;
  bool fits_ = true;
  std::size_t count_ = 0;
  std::array<double, kCapacity> kept_;
};

/// p(d) for one alpha and one q.
class Power {
 public:
  Power(double e, double log_q) : e_(e), log_q_(log_q), t_(std::exp(e * log_q)) {}

  double threshold() const { return -t_ / e_; }

  double operator()(double d) const {
    const double base = t_ + e_ * d;
    if (base <= 0) return 0;
    if (e_ == 1) return base;
    if (e_ == 0.5) return base * base;
    return std::exp(log_q_ + std::log1p(e_ * d / t_) / e_);
  }

  /// d log p(d) / d log q, at least 1. Precondition: p(d) > 0.
  double slope(double d) const { return t_ / (t_ + e_ * d); }

 private:
  double e_, log_q_, t_;
};

/// log q, by Newton's method on the logarithm of the sum (linear in log q for alpha = 1), with bisection
/// wherever the step is not halved.
double solve(const Near& near, double e, std::size_t n) {
  constexpr double kLastBits = 4e-15;
  double low = -std::log(static_cast<double>(n)) - 1, high = 0;
  double at = 0, step = 2 * (high - low);
  for (int i = 0; i < 200 && high - low > kLastBits; ++i) {
    const Power p(e, at);
    double sum = 0, rise = 0;
    near.each(p.threshold(), [&](double d) {
      const double value = p(d);
      if (!(value > 0)) return;
      sum += value;
      rise += value * p.slope(d);
    });
    const double log_sum = std::log(sum);
    (log_sum > 0 ? high : low) = at;
    double next = at - log_sum * sum / rise;
    const bool short_step = std::abs(next - at) <= kLastBits;
    if (short_step && std::abs(log_sum) < 1e-9) return std::min(next, 0.0);
    // Beyond alpha = 2 the sum is very steep where an id enters the support, so a short step does not prove
    // convergence there.
    if (short_step || !(next > low && next < high) || std::abs(next - at) > step / 2) next = (low + high) / 2;
    step = std::abs(next - at);
    at = next;
  }
  return at;
}

/// The threshold in closed form, for sparsemax and 1.5-entmax, with the support of `threshold`: exact up to
/// the rounding of the result if the sums of logits and of their squares are exact.
double closed_form(const Near& near, double e, double threshold) {
  double count = 0, sum = 0, squares = 0;
  near.each(threshold, [&](double d) {
    ++count;
    sum += e * d;
    squares += e * d * e * d;
  });
  if (e == 1) return (sum - 1) / count;
  return (sum - std::sqrt(std::max(0.0, sum * sum - count * (squares - 1)))) / count / e;
}

}  // namespace

Result<SparseSupport> entmax(std::span<const float> logits, double alpha, std::span<float> out,
                             const Kernels& kernels) {
  if (!(alpha >= 1 && alpha <= kMostEntmaxAlpha)) {
    return invalid("alpha is ", to_text(alpha), ", but entmax takes 1 (softmax) to 32");
  }
  TRY(check_sizes(logits.size(), out.size()));
  const Result<Peak> peak = find_peak(logits, kernels);
  if (!peak) return peak.error();
  SparseSupport support{peak->max, -std::numeric_limits<double>::infinity(), 0};
  if (alpha == 1) {
    support.size =
        logits.size() - static_cast<std::size_t>(std::count(logits.begin(), logits.end(),
                                                            -std::numeric_limits<float>::infinity()));
    TRY(softmax(logits, out, kernels));
    return support;
  }

  const double e = alpha - 1;
  const Near near(logits, peak->max, 1 / e, kernels);
  const double log_q = solve(near, e, logits.size());
  const Power power(e, log_q);
  support.threshold = power.threshold();
  const bool closed = e == 1 || e == 0.5;
  if (closed) support.threshold = closed_form(near, e, support.threshold);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double d = static_cast<double>(logits[i]) - static_cast<double>(peak->max);
    const bool held = d > support.threshold;
    support.size += held;
    if (!held) {
      out[i] = 0;
    } else if (closed) {
      const double base = e * (d - support.threshold);
      out[i] = static_cast<float>(e == 1 ? base : base * base);
    } else {
      out[i] = static_cast<float>(power(d));
    }
  }
  return support;
}

}  // namespace partita::internal
