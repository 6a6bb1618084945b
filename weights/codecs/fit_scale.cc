#include "weights/codecs/fit_scale.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>

#include "weights/codecs/block.h"

namespace partita::internal {
namespace {

constexpr int kMaxBlock = 256, kMaxGroups = 16;
constexpr int kLanes = 8;       // partial sums, which the compiler keeps in vector registers
constexpr int kCandidates = 9;  // on either side of the scale that maps the extreme to the last integer
constexpr int kMinimumRefinements = 2;
constexpr int kRefinements = 8;     // at most
constexpr double kSingular = 1e-6;  // of a determinant, relative to the product of its diagonal
constexpr float kFloor = 1e-4f;     // the least importance, of the block's mean

/// Values and the cost of a squared error of each; `size` is a multiple of kLanes.
struct Group {
  const float* values;
  const float* weights;
  int size;
};

float sum(const float (&lanes)[kLanes]) { return std::accumulate(lanes, lanes + kLanes, 0.0f); }

/// Rounds to an integer of the range; NaN becomes the lowest.
struct RangeGrid {
  float low, width;

  explicit RangeGrid(IntegerRange range)
      : low(static_cast<float>(range.low)), width(static_cast<float>(range.high - range.low)) {}
  /// The ends to which the extreme may be mapped, and the distance of candidates there.
  std::array<float, 2> ends() const { return {low, low + width}; }
  float step() const { return 0.1f; }
  /// How far the nearest number is from the lowest.
  int index(float value) const {
    const float above = value - low + 0.5f;
    const float positive = above > 0 ? above : 0;
    return static_cast<int>(positive < width ? positive : width);
  }
  float nearest(float value) const { return static_cast<float>(index(value)) + low; }
};

/// Rounds to a number of a codebook, which ascends within -128 to 127.
class CodebookGrid {
 public:
  explicit CodebookGrid(std::span<const std::int8_t> codebook) : codebook_(codebook) {
    std::size_t nearest = 0;
    for (int i = 0; i < kCells; ++i) {  // cell i holds the values from i / 2 - 128 to (i + 1) / 2 - 128
      while (nearest + 1 < codebook.size() && codebook[nearest] + codebook[nearest + 1] <= i - 256) ++nearest;
      index_[i] = static_cast<std::uint8_t>(nearest);
    }
  }
  std::array<float, 2> ends() const {
    return {static_cast<float>(codebook_.front()), static_cast<float>(codebook_.back())};
  }
  float step() const { return 1.2f; }
  int index(float value) const {
    const float cell = 2 * value + 256;
    return index_[static_cast<int>(cell > 0 ? std::min(cell, static_cast<float>(kCells - 1)) : 0)];
  }
  float nearest(float value) const { return codebook_[static_cast<std::size_t>(index(value))]; }

 private:
  static constexpr int kCells = 512;
  std::span<const std::int8_t> codebook_;
  std::uint8_t index_[kCells];
};

// --- a scale ----------------------------------------------------------------------------------------

/// The least-squares scale for rounded values q, from sums over the group.
struct ScaleFit {
  float qx = 0;  // of weight * q * value
  float qq = 0;  // of weight * q * q

  float scale() const { return qq > 0 ? qx / qq : 0; }
  /// How much of the weighted sum of squares it explains.
  float gain() const { return qx * scale(); }
};

template <class Grid>
ScaleFit fit_rounded(const Group& group, const Grid& grid, float inverse) {
  float qx[kLanes] = {}, qq[kLanes] = {};
  for (int i = 0; i < group.size; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const float q = grid.nearest(group.values[i + l] * inverse);
      const float weighted = group.weights[i + l] * q;
      qx[l] += weighted * group.values[i + l];
      qq[l] += weighted * q;
    }
  }
  return {sum(qx), sum(qq)};
}

float extreme_of(const Group& group) {
  return *std::max_element(group.values, group.values + group.size,
                           [](float a, float b) { return std::fabs(a) < std::fabs(b); });
}

/// The best fit for values = scale * q with q of the grid.
template <class Grid>
ScaleFit fit_scale(const Group& group, const Grid& grid) {
  const float inverse_extreme = reciprocal_or_zero(extreme_of(group));
  ScaleFit best;
  for (const float end : grid.ends()) {
    if (end == 0) continue;
    for (int step = -kCandidates; step <= kCandidates; ++step) {
      const float inverse = (end + grid.step() * static_cast<float>(step)) * inverse_extreme;
      const ScaleFit fit = fit_rounded(group, grid, inverse);
      if (fit.gain() > best.gain()) best = fit;
    }
  }
  for (int i = 0; i < kRefinements; ++i) {
    const ScaleFit fit = fit_rounded(group, grid, reciprocal_or_zero(best.scale()));
    if (!(fit.gain() > best.gain())) break;
    best = fit;
  }
  return best;
}

// --- a scale and a minimum --------------------------------------------------------------------------

/// The least-squares scale and minimum for rounded values q: value = scale * q - minimum.
struct MinimumFit {
  float scale = 0, minimum = 0;
  float gain = -1;  // as in ScaleFit; negative: no fit
  float qq = 0;
};

class MinimumFitter {
 public:
  /// any_sign: the minimum may be negative.
  MinimumFitter(const Group& group, int high, bool any_sign)
      : group_(group), grid_(IntegerRange{0, high}), any_sign_(any_sign) {
    for (int i = 0; i < group.size; ++i) {
      weight_ += group.weights[i];
      weighted_ += group.weights[i] * group.values[i];
    }
  }

  MinimumFit fit() const {
    const auto [low, high] = std::minmax_element(group_.values, group_.values + group_.size);
    const float base = any_sign_ ? *low : std::min(*low, 0.0f);
    const float inverse_width = reciprocal_or_zero(*high - base);
    MinimumFit best{.scale = 0, .minimum = -base};
    if (inverse_width == 0) return best;
    for (int step = -kCandidates; step <= kCandidates; ++step) {
      const float inverse = (grid_.ends()[1] + grid_.step() * static_cast<float>(step)) * inverse_width;
      best = better(best, solve(sums(inverse, best.minimum)));
    }
    for (int i = 0; i < kRefinements; ++i) {
      const MinimumFit again = solve(sums(reciprocal_or_zero(best.scale), best.minimum));
      if (!(again.gain > best.gain)) break;
      best = again;
    }
    return best;
  }

  /// The minimum that fits best where the scale is given; `minimum` is a first guess.
  float minimum_for(float scale, float minimum) const {
    if (!(scale > 0 && weight_ > 0)) return minimum;
    for (int i = 0; i < kMinimumRefinements; ++i) {
      const float q = sums(1 / scale, minimum).q;
      minimum = std::max((scale * q - weighted_) / weight_, 0.0f);
    }
    return minimum;
  }

  float weight() const { return weight_; }

 private:
  /// Sums over rounded values, of weight * q, weight * q * value and weight * q * q.
  struct Sums {
    float q, qx, qq;
  };

  static const MinimumFit& better(const MinimumFit& a, const MinimumFit& b) {
    return b.gain > a.gain ? b : a;
  }

  Sums sums(float inverse, float minimum) const {
    float q_sums[kLanes] = {}, qx_sums[kLanes] = {}, qq_sums[kLanes] = {};
    for (int i = 0; i < group_.size; i += kLanes) {
      for (int l = 0; l < kLanes; ++l) {
        const float value = group_.values[i + l];
        const float q = grid_.nearest((value + minimum) * inverse);
        const float weighted = group_.weights[i + l] * q;
        q_sums[l] += weighted;
        qx_sums[l] += weighted * value;
        qq_sums[l] += weighted * q;
      }
    }
    return {sum(q_sums), sum(qx_sums), sum(qq_sums)};
  }

  MinimumFit solve(const Sums& sums) const {
    const double q = sums.q, qx = sums.qx, qq = sums.qq;
    const double w = weight_, x = weighted_;
    const double determinant = w * qq - q * q;
    const bool solvable = determinant > kSingular * w * qq;  // the q are not all equal
    const double scale = solvable ? (w * qx - x * q) / determinant : qx / qq;
    const double minimum = solvable ? (q * qx - qq * x) / determinant : 0;
    if (minimum < 0 && !any_sign_) return result(qx / qq, 0, qx * qx / qq, qq);
    return result(scale, minimum, scale * qx - minimum * x, qq);
  }

  static MinimumFit result(double scale, double minimum, double gain, double qq) {
    if (!(scale > 0)) return {};
    return {static_cast<float>(scale), static_cast<float>(minimum), static_cast<float>(gain),
            static_cast<float>(qq)};
  }

  const Group group_;
  const RangeGrid grid_;
  const bool any_sign_;
  float weight_ = 0, weighted_ = 0;  // sums of weight, and of weight * value
};

// --- blocks -----------------------------------------------------------------------------------------

/// What an error of each value costs: its importance, more for values that are large in their block, because
/// these carry most of a product.
void fill_weights(int block, const float* values, const float* importance, float* weights) {
  float squares = 0, total = 0;
  for (int i = 0; i < block; ++i) squares += values[i] * values[i];
  for (int i = 0; i < block && importance != nullptr; ++i) total += importance[i];
  const float doubled_mean = 2 * squares / static_cast<float>(block);
  const float least = kFloor * total / static_cast<float>(block);
  for (int i = 0; i < block; ++i) {
    weights[i] = std::sqrt(doubled_mean + values[i] * values[i]);
    if (total > 0) weights[i] *= std::max(importance[i], least);
  }
}

/// A block on its way: values, weights, groups.
struct Work {
  const QuantLayout& layout;
  const float* values;
  float weights[kMaxBlock];

  Work(const QuantLayout& of, const float* from, const float* importance) : layout(of), values(from) {
    fill_weights(of.block, from, importance, weights);
  }
  int groups() const { return layout.block / layout.group; }
  Group group(int g) const { return {values + g * layout.group, weights + g * layout.group, layout.group}; }
  int high() const { return (1 << layout.bits) - 1; }
  /// The levels of q, the numbers between them included.
  IntegerRange range() const { return {layout.level(0), layout.level(static_cast<std::uint8_t>(high()))}; }
  bool has_gaps() const { return range().high - range().low != high(); }
  std::span<const std::int8_t> codebook() const {
    return std::span(*layout.codebook).first(std::size_t{1} << layout.bits);
  }
};

/// q of group g: the nearest to (value + minimum) / scale.
template <class Grid>
void round_group(const Work& work, const Grid& grid, int g, float scale, float minimum, QuantBlock& out) {
  const float inverse = reciprocal_or_zero(scale);
  for (int i = g * work.layout.group; i < (g + 1) * work.layout.group; ++i)
    out.q[i] = static_cast<std::uint8_t>(grid.index((work.values[i] + minimum) * inverse));
}

template <class Grid>
void fit_d(const Work& work, const Grid& grid, QuantBlock& out) {
  out.d = f32_to_f16(fit_scale(work.group(0), grid).scale());
  round_group(work, grid, 0, f16_to_f32(out.d), 0, out);
}

void fit_d_and_m(const Work& work, QuantBlock& out) {
  const MinimumFit fit = MinimumFitter(work.group(0), work.high(), true).fit();
  out.d = f32_to_f16(fit.scale);
  out.m = f32_to_f16(-fit.minimum);
  round_group(work, RangeGrid(work.range()), 0, f16_to_f32(out.d), -f16_to_f32(out.m), out);
}

/// Integers for the scales of the groups; returns the scale that they share, as f16. weights: of the groups.
template <class Integer>
std::uint16_t fit_scales(const float* scales, const float* weights, int groups, IntegerRange range,
                         Integer* out) {
  const RangeGrid grid(range);
  const std::uint16_t d = f32_to_f16(fit_scale(Group{scales, weights, groups}, grid).scale());
  const float inverse = reciprocal_or_zero(f16_to_f32(d));
  for (int g = 0; g < groups; ++g) out[g] = static_cast<Integer>(grid.nearest(scales[g] * inverse));
  return d;
}

template <class Grid>
void round_super(const Work& work, const Grid& grid, QuantBlock& out) {
  const float d = f16_to_f32(out.d) * work.layout.factor, m = f16_to_f32(out.m);
  for (int g = 0; g < work.groups(); ++g) {
    round_group(work, grid, g, d * static_cast<float>(out.sc[g]), m * static_cast<float>(out.mn[g]), out);
  }
}

/// d and m that fit the rounded block best.
void refit_super(const Work& work, QuantBlock& out) {
  double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;  // value = d * a - m * b
  for (int i = 0; i < work.layout.block; ++i) {
    const int g = i / work.layout.group;
    const double a = out.sc[g] * work.layout.level(out.q[i]), b = out.mn[g];
    const double w = work.weights[i], x = work.values[i];
    aa += w * a * a, ab += w * a * b, bb += w * b * b, ax += w * a * x, bx += w * b * x;
  }
  const double determinant = aa * bb - ab * ab;
  if (determinant > kSingular * aa * bb) {
    const double d = (ax * bb - bx * ab) / determinant, m = (ax * ab - bx * aa) / determinant;
    if (!(d > 0 && m >= 0)) return;
    out.d = f32_to_f16(static_cast<float>(d));
    out.m = f32_to_f16(static_cast<float>(m));
  } else if (bb == 0 && aa > 0) {
    out.d = f32_to_f16(static_cast<float>(ax / aa));
  }
}

void fit_super_with_minimums(const Work& work, IntegerRange range, QuantBlock& out) {
  float scales[kMaxGroups], minimums[kMaxGroups], scale_weights[kMaxGroups], minimum_weights[kMaxGroups];
  for (int g = 0; g < work.groups(); ++g) {
    const MinimumFit fit = MinimumFitter(work.group(g), work.high(), false).fit();
    scales[g] = fit.scale;
    minimums[g] = fit.minimum;
    scale_weights[g] = fit.qq;
  }
  out.d = fit_scales(scales, scale_weights, work.groups(), range, out.sc);
  const float d = f16_to_f32(out.d);
  for (int g = 0; g < work.groups(); ++g) {  // minimums for the scales as they were rounded
    const MinimumFitter fitter(work.group(g), work.high(), false);
    minimums[g] = fitter.minimum_for(d * static_cast<float>(out.sc[g]), minimums[g]);
    minimum_weights[g] = fitter.weight();
  }
  out.m = fit_scales(minimums, minimum_weights, work.groups(), range, out.mn);
}

template <class Grid>
void fit_super_scales(const Work& work, IntegerRange range, const Grid& grid, QuantBlock& out) {
  float scales[kMaxGroups], weights[kMaxGroups];
  for (int g = 0; g < work.groups(); ++g) {
    const ScaleFit fit = fit_scale(work.group(g), grid);
    scales[g] = fit.scale();
    weights[g] = fit.qq;
  }
  out.d = fit_scales(scales, weights, work.groups(), range, out.sc);
  out.m = 0;
  std::fill(out.mn, out.mn + kMaxGroups, std::uint8_t{0});
}

template <class Grid>
void fit_super(const Work& work, IntegerRange scales, const Grid& grid, QuantBlock& out) {
  const ScaleKind kind = work.layout.scale;
  if (kind == ScaleKind::kSuper || kind == ScaleKind::kSuperU4) {
    fit_super_with_minimums(work, scales, out);
  } else {
    fit_super_scales(work, scales, grid, out);
  }
  round_super(work, grid, out);
  refit_super(work, out);
  round_super(work, grid, out);
}

template <class Grid>
void fit_on(const Work& work, IntegerRange scales, const Grid& grid, QuantBlock& out) {
  if (work.layout.scale == ScaleKind::kF16) return fit_d(work, grid, out);
  if (work.layout.scale == ScaleKind::kF16Min) return fit_d_and_m(work, out);
  fit_super(work, scales, grid, out);
}

}  // namespace

void fit_block(const QuantLayout& layout, IntegerRange scales, const float* values, const float* importance,
               QuantBlock& out) {
  const Work work(layout, values, importance);
  if (work.has_gaps()) return fit_on(work, scales, CodebookGrid(work.codebook()), out);
  fit_on(work, scales, RangeGrid(work.range()), out);
}

}  // namespace partita::internal
