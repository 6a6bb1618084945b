// Norms, rotary embedding, gates, quantization of activations and exponentials, as templates over the vector
// type V.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "engine/kernels/kernels.h"

namespace partita::internal {
namespace {

inline constexpr std::size_t kLanes = 16;

/// The first n (< 16) of p, `fill` beyond.
template <class V>
typename V::F load_some(const float* p, std::size_t n, float fill) {
  float all[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) all[i] = i < n ? p[i] : fill;
  return V::load(all);
}

template <class V>
void store_some(float* p, std::size_t n, typename V::F x) {
  float all[kLanes];
  V::store(all, x);
  for (std::size_t i = 0; i < n; ++i) p[i] = all[i];
}

/// Calls body(load, store) for [0, n) in steps of sixteen: load(p) returns the current sixteen of p as a
/// vector and store(p, x) writes them; the last, partial sixteen goes through a copy.
template <class V, class Body>
[[gnu::always_inline]] inline void for_lanes(std::size_t n, Body&& body) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    body(
        [i](const float* p) __attribute__((always_inline)) { return V::load(p + i); },
        [i](float* p, typename V::F x) __attribute__((always_inline)) { V::store(p + i, x); });
  }
  if (i < n) {
    const std::size_t rest = n - i;
    body([i, rest](const float* p) { return load_some<V>(p + i, rest, 0.0F); },
         [i, rest](float* p, typename V::F x) { store_some<V>(p + i, rest, x); });
  }
}

/// (2^f - 1) / f for f in [-1/2, 1/2].
template <class V>
[[gnu::always_inline]] inline typename V::F exp2_slope(typename V::F f) {
  typename V::F p = V::set(0x1.443ffep-13F);
  p = V::fma(p, f, V::set(0x1.5f48c0p-10F));
  p = V::fma(p, f, V::set(0x1.3b2a1cp-7F));
  p = V::fma(p, f, V::set(0x1.c6aeccp-5F));
  p = V::fma(p, f, V::set(0x1.ebfbe0p-3F));
  return V::fma(p, f, V::set(0x1.62e430p-1F));
}

/// 2^f for f in [-1/2, 1/2]: polynomial of degree 6, relative error 2.5e-9 before rounding.
template <class V>
[[gnu::always_inline]] inline typename V::F exp2_fraction(typename V::F f) {
  return V::fma(exp2_slope<V>(f), f, V::set(1.0F));
}

/// The integer in [-127, 128] nearest to x; NaN stays NaN because of the operand order of min and max.
template <class V>
[[gnu::always_inline]] inline typename V::F whole_exponent(typename V::F x) {
  return V::round(V::max(V::set(-127.0F), V::min(V::set(128.0F), x)));
}

/// 2^x: 0 below 2^-126, infinity from 2^127.5 on, NaN for NaN.
template <class V>
[[gnu::always_inline]] inline typename V::F exp2(typename V::F x) {
  const typename V::F bounded = V::max(V::set(-127.0F), V::min(V::set(128.0F), x));
  const typename V::F n = V::round(bounded);
  return V::mul(exp2_fraction<V>(V::sub(bounded, n)), V::power_of_two(n));
}

template <class V>
float exp2_one(float x) {
  float all[kLanes];
  V::store(all, exp2<V>(V::set(x)));
  return all[0];
}

/// e^(x + rest), rest small, within 1.18 ulp (exp_test.cc): log2(e) in two parts, so that the error does not
/// grow with |x|.
template <class V>
[[gnu::always_inline]] inline typename V::F exp(typename V::F x, typename V::F rest) {
  const typename V::F high = V::set(0x1.715476p+0F), low = V::set(0x1.4ae0c0p-26F);
  const typename V::F bounded = V::max(V::set(-88.5F), V::min(V::set(89.0F), x));
  const typename V::F n = whole_exponent<V>(V::mul(bounded, high));
  const typename V::F f = V::fma(bounded, low, V::fma(bounded, high, V::sub(V::set(0.0F), n)));
  return V::mul(exp2_fraction<V>(V::fma(rest, high, f)), V::power_of_two(n));
}

template <class V>
[[gnu::always_inline]] inline typename V::F exp(typename V::F x) {
  return exp<V>(x, V::set(0.0F));
}

/// e^x - 1 for x <= 0, to a few ulp near 0 too.
template <class V>
[[gnu::always_inline]] inline typename V::F exp_minus_one(typename V::F x) {
  const typename V::F high = V::set(0x1.715476p+0F), low = V::set(0x1.4ae0c0p-26F), one = V::set(1.0F);
  const typename V::F bounded = V::max(V::set(-88.5F), x);
  const typename V::F n = whole_exponent<V>(V::mul(bounded, high));
  const typename V::F f = V::fma(bounded, low, V::fma(bounded, high, V::sub(V::set(0.0F), n)));
  const typename V::F power = V::power_of_two(n);
  return V::fma(power, V::mul(exp2_slope<V>(f), f), V::sub(power, one));
}

/// e^(scale (x - shift)) with a scale in two parts. The rounding errors of the difference (two-sum, Knuth
/// 1969) and of the product are kept, so that the error does not grow with the exponent.
template <class V>
[[gnu::always_inline]] inline typename V::F exp_difference(typename V::F x, typename V::F shift,
                                                           typename V::F scale, typename V::F scale_rest) {
  const typename V::F d = V::sub(x, shift);
  const typename V::F back = V::sub(d, x);
  const typename V::F lost = V::sub(V::sub(x, V::sub(d, back)), V::add(shift, back));
  const typename V::F t = V::mul(d, scale);
  const typename V::F rest =
      V::fma(d, scale_rest, V::fma(lost, scale, V::fma(d, scale, V::sub(V::set(0.0F), t))));
  // If d is infinite, rest is NaN, and min returns its second operand. The value does not matter then.
  return exp<V>(t, V::max(V::min(rest, V::set(0x1p-4F)), V::set(-0x1p-4F)));
}

/// The largest magnitude of numbers, and `poison`: 0, or NaN if a number is NaN or infinite (its row then
/// becomes NaN instead of 0).
struct Amplitude {
  float most, poison;
};

/// Precondition: n is a multiple of 16.
template <class V>
Amplitude amplitude(const float* x, std::size_t n) {
  typename V::F most = V::set(0.0F), poison = V::set(0.0F);
  for (std::size_t i = 0; i < n; i += kLanes) {
    const typename V::F v = V::load(x + i);
    most = V::max(most, V::abs(v));
    poison = V::add(poison, V::sub(v, v));
  }
  return {V::reduce_max(most), V::reduce_add(poison)};
}

template <class V>
void quantize(const Activations& x, std::size_t first, std::size_t last) {
  using F = typename V::F;
  const std::size_t groups = x.cols / kGroupCols;
  const F low = V::set(-kMaxQuant), high = V::set(kMaxQuant);
  for (std::size_t r = first; r < last; ++r) {
    const float* row = x.values + r * x.cols;
    const auto [most, poison] = amplitude<V>(row, x.cols);
    const bool usable = most >= kMinAmplitude && most <= std::numeric_limits<float>::max();
    const F inverse = V::set(usable ? kMaxQuant / most : 0.0F);
    x.scale[r] = most / kMaxQuant + poison;
    for (std::size_t g = 0; g < groups; ++g) {
      const float* v = row + g * kGroupCols;
      std::int16_t* to = x.q + r * quant_stride(x.cols) + g * kGroupCols;
      const auto a = V::to_int(V::max(V::min(V::mul(V::load(v), inverse), high), low));
      const auto b = V::to_int(V::max(V::min(V::mul(V::load(v + kLanes), inverse), high), low));
      V::store_pairs(to, a);
      V::store_pairs(to + kLanes, b);
      if constexpr (requires { V::crossed(to); }) x.crossed[r * groups + g] = V::crossed(to);
      x.sum[r * groups + g] = static_cast<float>(V::reduce_add_i(V::add_i(a, b)));
    }
  }
}

template <class V>
void rms_norm(const float* x, const float* weight, std::size_t n, float eps, float* y) {
  typename V::F squares = V::set(0.0F);
  for_lanes<V>(n, [&](auto at, auto) { squares = V::fma(at(x), at(x), squares); });
  const float mean = V::reduce_add(squares) / static_cast<float>(n);
  const auto factor = V::set(1.0F / std::sqrt(mean + eps));
  for_lanes<V>(n, [&](auto at, auto put) { put(y, V::mul(V::mul(at(x), factor), at(weight))); });
}

template <class V>
void layer_norm(const float* x, const float* weight, const float* bias, std::size_t n, float eps, float* y) {
  using F = typename V::F;
  F sum = V::set(0.0F), squares = V::set(0.0F);
  for_lanes<V>(n, [&](auto at, auto) { sum = V::add(sum, at(x)); });
  const float average = V::reduce_add(sum) / static_cast<float>(n);
  const F mean = V::set(average);
  const auto square = [&](F v) __attribute__((always_inline)) {
    const F deviation = V::sub(v, mean);
    squares = V::fma(deviation, deviation, squares);
  };
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) square(V::load(x + i));
  if (i < n) square(load_some<V>(x + i, n - i, average));
  const F factor = V::set(1.0F / std::sqrt(V::reduce_add(squares) / static_cast<float>(n) + eps));
  const auto normed = [&](F v, F w) __attribute__((always_inline)) {
    return V::mul(V::mul(V::sub(v, mean), factor), w);
  };
  if (bias == nullptr) {
    for_lanes<V>(n, [&](auto at, auto put) { put(y, normed(at(x), at(weight))); });
  } else {
    for_lanes<V>(n, [&](auto at, auto put) { put(y, V::add(normed(at(x), at(weight)), at(bias))); });
  }
}

template <class V>
void add(const float* x, std::size_t n, float* y) {
  for_lanes<V>(n, [&](auto at, auto put) { put(y, V::add(at(y), at(x))); });
}

/// x / (1 + e^-z)
template <class V>
[[gnu::always_inline]] inline typename V::F times_sigmoid(typename V::F x, typename V::F z) {
  return V::div(x, V::add(V::set(1.0F), exp<V>(V::sub(V::set(0.0F), z))));
}

/// (x / 2)(1 + tanh u) = x sigmoid(2u), u = sqrt(2 / pi) (x + 0.044715 x^3)
template <class V>
[[gnu::always_inline]] inline typename V::F gelu_tanh(typename V::F x) {
  const auto two_root = V::set(1.5957691216057308F), cubic = V::set(0.044715F), one = V::set(1.0F);
  return times_sigmoid<V>(x, V::mul(V::mul(two_root, x), V::fma(V::mul(cubic, x), x, one)));
}

/// x Phi(x) = max(x, 0) - |x| Phi(-|x|). Phi(-a) e^(a^2 / 2) is a polynomial of t = 1 / (1 + 0.35 a), of
/// relative error 3.2e-8 before rounding up to a = 14; Phi(-a) is 0 in float from there on.
template <class V>
[[gnu::always_inline]] inline typename V::F gelu(typename V::F x) {
  const auto a = V::min(V::set(20.0F), V::abs(x)), one = V::set(1.0F);
  const auto t = V::div(one, V::fma(a, V::set(0.35F), one));
  auto p = V::set(-0x1.dd86e2p-6F);
  p = V::fma(p, t, V::set(0x1.26daa2p-3F));
  p = V::fma(p, t, V::set(-0x1.05d9f6p-2F));
  p = V::fma(p, t, V::set(0x1.45fd1cp-3F));
  p = V::fma(p, t, V::set(-0x1.7aa1aep-6F));
  p = V::fma(p, t, V::set(0x1.b0292ap-4F));
  p = V::fma(p, t, V::set(0x1.ead5dep-4F));
  p = V::fma(p, t, V::set(0x1.1e6fe6p-3F));
  p = V::mul(V::fma(p, t, V::set(0x1.1df1d4p-3F)), t);
  const auto below = V::mul(exp<V>(V::mul(V::mul(a, a), V::set(-0.5F))), p);
  return V::sub(V::max(V::set(0.0F), x), V::mul(a, below));
}

/// y = f(g) * up
template <class V, class F>
[[gnu::always_inline]] inline void gate_by(F f, const float* g, const float* up, std::size_t n, float* y) {
  for_lanes<V>(n, [&](auto at, auto put) { put(y, V::mul(f(at(g)), at(up))); });
}

template <class V>
void gate(const Gate& f, const float* g, const float* up, std::size_t n, float* y) {
  using F = typename V::F;
  const F zero = V::set(0.0F);
  switch (f.function) {
    case GateFunction::kSilu:
      return gate_by<V>([](F x) { return times_sigmoid<V>(x, x); }, g, up, n, y);
    case GateFunction::kGelu:
      return gate_by<V>([](F x) { return gelu<V>(x); }, g, up, n, y);
    case GateFunction::kGeluTanh:
      return gate_by<V>([](F x) { return gelu_tanh<V>(x); }, g, up, n, y);
    case GateFunction::kReluSquared:
      return gate_by<V>(
          [zero](F x) {
            const F above = V::max(zero, x);  // the second operand if it is NaN
            return V::mul(above, above);
          },
          g, up, n, y);
    case GateFunction::kSigmoid:
      return for_lanes<V>(n, [&](auto at, auto put) { put(y, times_sigmoid<V>(at(up), at(g))); });
    case GateFunction::kClampedSilu: {
      const F most = V::set(kClampedLimit), least = V::set(-kClampedLimit);
      return for_lanes<V>(n, [&](auto at, auto put) {  // min and max give the second operand if it is NaN
        const F x = V::min(most, at(g)), factor = V::max(least, V::min(most, at(up)));
        const F gated = times_sigmoid<V>(x, V::mul(V::set(kClampedSlope), x));
        put(y, V::mul(gated, V::add(factor, V::set(1.0F))));
      });
    }
    case GateFunction::kXielu: {
      const F positive = V::set(f.xielu.positive), negative = V::set(f.xielu.negative),
              linear = V::set(f.xielu.linear);
      return gate_by<V>(
          [=](F x) {
            const F above = V::max(zero, x), below = V::min(zero, x);
            const F bent = V::mul(V::sub(exp_minus_one<V>(below), below), negative);
            return V::add(bent, V::fma(V::mul(above, above), positive, V::mul(linear, x)));
          },
          g, up, n, y);
    }
  }
}

/// cap tanh(x / cap) = 2 cap / (1 + e^(-2 x / cap)) - cap
template <class V>
[[gnu::always_inline]] inline typename V::F capped(typename V::F x, float cap) {
  const typename V::F power = exp<V>(V::mul(x, V::set(-2.0F / cap)));
  return V::sub(V::div(V::set(2.0F * cap), V::add(V::set(1.0F), power)), V::set(cap));
}

template <class V>
void soft_cap(float cap, std::size_t n, float* y) {
  for_lanes<V>(n, [&](auto at, auto put) { put(y, capped<V>(at(y), cap)); });
}

template <class V>
void rope(float* x, const float* cos, const float* sin, std::size_t half) {
  for_lanes<V>(half, [&](auto at, auto put) {
    const auto a = at(x), b = at(x + half), c = at(cos), s = at(sin);
    put(x, V::sub(V::mul(a, c), V::mul(b, s)));
    put(x + half, V::add(V::mul(b, c), V::mul(a, s)));
  });
}

template <class V>
void merge(const SoftmaxState& part, int rows, std::uint32_t width, const SoftmaxState& into) {
  constexpr float kNothing = -std::numeric_limits<float>::infinity();
  for (int r = 0; r < rows; ++r) {
    if (part.max[r] == kNothing && part.sum[r] == 0) continue;  // saw no key
    const float max = part.max[r] > into.max[r] ? part.max[r] : into.max[r];
    const float keep = exp2_one<V>(into.max[r] - max), take = exp2_one<V>(part.max[r] - max);
    into.sum[r] = into.sum[r] * keep + part.sum[r] * take;
    into.max[r] = max;
    float* out = into.out + static_cast<std::size_t>(r) * width;
    const float* from = part.out + static_cast<std::size_t>(r) * width;
    for (std::uint32_t d = 0; d < width; d += kLanes) {
      V::store(out + d, V::fma(V::load(from + d), V::set(take), V::mul(V::load(out + d), V::set(keep))));
    }
  }
}

template <class V>
void finish(const SoftmaxState& state, int rows, std::uint32_t width) {
  for (int r = 0; r < rows; ++r) {
    const auto factor = V::set(state.sum[r] == 0 ? 0.0F : 1.0F / state.sum[r]);
    float* out = state.out + static_cast<std::size_t>(r) * width;
    for (std::uint32_t d = 0; d < width; d += kLanes) V::store(out + d, V::mul(V::load(out + d), factor));
  }
}

template <class V>
float max(const float* x, std::size_t n) {
  const float lowest = -std::numeric_limits<float>::infinity();
  typename V::F most = V::set(lowest);
  bool nan = false;
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const auto v = V::load(x + i);
    nan |= V::has_nan(v);
    most = V::max(most, v);
  }
  if (i < n) {
    const auto v = load_some<V>(x + i, n - i, lowest);
    nan |= V::has_nan(v);
    most = V::max(most, v);
  }
  return nan ? std::numeric_limits<float>::quiet_NaN() : V::reduce_max(most);
}

/// Float sums of 16 x 64 exponentials, collected in double: the error stays below 1e-6 at any length.
template <class V>
double exp_sum(const float* x, std::size_t n, float shift, double scale, float* y) {
  constexpr std::size_t kRun = kLanes * 64;
  const auto high = static_cast<float>(scale);
  const auto from = V::set(shift), by = V::set(high);
  const auto by_rest = V::set(static_cast<float>(scale - static_cast<double>(high)));
  double total = 0;
  for (std::size_t begin = 0; begin < n; begin += kRun) {
    const std::size_t length = n - begin < kRun ? n - begin : kRun;
    auto sum = V::set(0.0F);
    std::size_t i = begin;
    for (; i + kLanes <= begin + length; i += kLanes) {
      const auto e = exp_difference<V>(V::load(x + i), from, by, by_rest);
      if (y != nullptr) V::store(y + i, e);
      sum = V::add(sum, e);
    }
    if (i < begin + length) {
      const std::size_t rest = begin + length - i;
      const auto e = exp_difference<V>(load_some<V>(x + i, rest, -std::numeric_limits<float>::infinity()),
                                       from, by, by_rest);
      if (y != nullptr) store_some<V>(y + i, rest, e);
      sum = V::add(sum, e);
    }
    total += static_cast<double>(V::reduce_add(sum));
  }
  return total;
}

}  // namespace
}  // namespace partita::internal
