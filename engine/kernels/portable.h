// Sixteen floats in plain C++: the operations of the vector types, one by one, for results whose bits must
// not depend on the instruction set.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace partita::internal {

struct Portable {
  struct F {
    float lane[16];
  };

  static F load(const float* p) {
    return each([&](int i) { return p[i]; });
  }
  static void store(float* p, const F& x) {
    for (int i = 0; i < 16; ++i) p[i] = x.lane[i];
  }
  static F set(float x) {
    return each([&](int) { return x; });
  }
  static F add(const F& x, const F& y) {
    return each([&](int i) { return x.lane[i] + y.lane[i]; });
  }
  static F sub(const F& x, const F& y) {
    return each([&](int i) { return x.lane[i] - y.lane[i]; });
  }
  static F mul(const F& x, const F& y) {
    return each([&](int i) { return x.lane[i] * y.lane[i]; });
  }
  static F fma(const F& x, const F& y, const F& z) {
    return each([&](int i) { return std::fma(x.lane[i], y.lane[i], z.lane[i]); });
  }
  /// y where either is NaN.
  static F max(const F& x, const F& y) {
    return each([&](int i) { return x.lane[i] > y.lane[i] ? x.lane[i] : y.lane[i]; });
  }
  static F min(const F& x, const F& y) {
    return each([&](int i) { return x.lane[i] < y.lane[i] ? x.lane[i] : y.lane[i]; });
  }
  /// To the nearest integer, ties to even.
  static F round(const F& x) {
    return each([&](int i) { return std::nearbyint(x.lane[i]); });
  }
  /// 2^n for integer n in [-127, 128]: 0 at -127, infinity at 128; NaN for NaN.
  static F power_of_two(const F& n) {
    return each([&](int i) {
      if (std::isnan(n.lane[i])) return n.lane[i];
      return std::bit_cast<float>(static_cast<std::uint32_t>(static_cast<std::int32_t>(n.lane[i]) + 127)
                                  << 23);
    });
  }
  /// ((i, i+8), then (i, i+4), (i, i+2), (i, i+1)): the same order in every instruction set.
  static float reduce_add(F x) {
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) x.lane[i] += x.lane[i + half];
    }
    return x.lane[0];
  }

 private:
  template <class Lane>
  static F each(Lane&& lane) {
    F all;
    for (int i = 0; i < 16; ++i) all.lane[i] = lane(i);
    return all;
  }
};

/// Kernels::exp_sum in plain C++, with the same bits as the vector types.
double portable_exp_sum(const float* x, std::size_t n, float shift, double scale, float* y);

}  // namespace partita::internal
