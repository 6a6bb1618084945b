// merge and finish, by their definition: values, bits of rows to which nothing is added, and NaN, which must
// not disappear.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tests/catch.h"
#include "tests/engine/kernels/kernel_checks.h"

namespace partita::internal::test {
namespace {

constexpr int kRows = 7, kDim = 48;

struct State {
  std::vector<float> max = std::vector<float>(kRows, -kInf), sum = std::vector<float>(kRows, 0.0F),
                     out = std::vector<float>(kRows * kDim, 0.0F);
  SoftmaxState view() { return {max.data(), sum.data(), out.data()}; }
  void set(int row, float m, float s, float o) {
    max[static_cast<std::size_t>(row)] = m;
    sum[static_cast<std::size_t>(row)] = s;
    for (int d = 0; d < kDim; ++d)
      out[static_cast<std::size_t>(row * kDim + d)] = o + static_cast<float>(d) / 8;
  }
  float at(int row, int d) const { return out[static_cast<std::size_t>(row * kDim + d)]; }
};

/// 2^x of integers, or 0.
double weight(float of, float max) { return of == -kInf ? 0 : std::exp2(static_cast<double>(of - max)); }

void check_values(const Kernels& fast) {
  // Maxima of a row in the part and in the state it is merged into; -inf: that one attended to no key.
  const float maxima[kRows][2] = {{3, 1}, {1, 3}, {-kInf, 2}, {2, -kInf}, {-kInf, -kInf}, {5, 5}, {-90, 10}};
  State part, into;
  for (int r = 0; r < kRows; ++r) {
    const auto [p, i] = std::pair(maxima[r][0], maxima[r][1]);
    if (p != -kInf) part.set(r, p, 1.5F, -2);
    if (i != -kInf) into.set(r, i, 2.25F, 3);
  }
  const State before = into;
  // One row less than there are: the last row must not be written.
  State part_copy = part, canary = into;
  fast.merge(part_copy.view(), kRows - 1, kDim, canary.view());
  CHECK(std::memcmp(&canary.out[(kRows - 1) * kDim], &before.out[(kRows - 1) * kDim], kDim * 4) == 0);
  CHECK(canary.sum[kRows - 1] == before.sum[kRows - 1]);

  fast.merge(part.view(), kRows, kDim, into.view());
  for (int r = 0; r < kRows; ++r) {
    CAPTURE(r);
    const auto row = static_cast<std::size_t>(r);
    const float most = std::max(maxima[r][0], maxima[r][1]);
    CHECK(into.max[row] == most);
    if (most == -kInf) {
      CHECK(into.sum[row] == 0);
      continue;
    }
    const double take = weight(maxima[r][0], most), keep = weight(maxima[r][1], most);
    CHECK(into.sum[row] == Approx(take * 1.5 + keep * 2.25).epsilon(1e-6));
    for (int d = 0; d < kDim; ++d) {
      const double own = static_cast<double>(d) / 8;
      CHECK(into.at(r, d) == Approx(take * (-2 + own) + keep * (3 + own)).margin(1e-5));
    }
  }
  // A part that attended to no key leaves the bits unchanged.
  CHECK(std::memcmp(&into.out[2 * kDim], &before.out[2 * kDim], kDim * 4) == 0);
  const State merged = into;
  fast.finish(into.view(), kRows - 1, kDim);
  for (int r = 0; r < kRows - 1; ++r) {
    const float sum = merged.sum[static_cast<std::size_t>(r)];
    for (int d = 0; d < kDim; ++d)
      CHECK(into.at(r, d) == Approx(sum == 0 ? 0 : merged.at(r, d) / sum).margin(1e-6));
  }
  CHECK(std::memcmp(&into.out[(kRows - 1) * kDim], &merged.out[(kRows - 1) * kDim], kDim * 4) == 0);
}

/// A span with a NaN, before or after one without: its row becomes NaN, and no other row.
void check_nan(const Kernels& fast) {
  const float maxima[] = {-kInf, kNan, 2, -100, kInf};
  for (const float max : maxima) {
    for (const bool first : {true, false}) {
      CAPTURE(max, first);
      State bad, good, whole;
      for (int r = 0; r < kRows; ++r) {
        good.set(r, 1, 2, 3);
        bad.set(r, 1, 2, 3);
      }
      bad.set(2, max, kNan, kNan);
      fast.merge(first ? bad.view() : good.view(), kRows, kDim, whole.view());
      fast.merge(first ? good.view() : bad.view(), kRows, kDim, whole.view());
      fast.merge(good.view(), kRows, kDim, whole.view());
      CHECK(std::isnan(whole.sum[2]));
      fast.finish(whole.view(), kRows, kDim);
      for (int r = 0; r < kRows; ++r) {
        for (int d = 0; d < kDim; ++d) REQUIRE(std::isnan(whole.at(r, d)) == (r == 2));
      }
    }
  }
}

/// A NaN or an infinity in one key or one value affects the rows that attend to it, through attend, merge and
/// finish, and no other row: not rows of the same tile for which the page hides it, whose weight for it is 0.
void check_bad_keys(const Kernels& fast, float wrong, int place, bool second_page) {
  constexpr int kKeys = 40;
  constexpr HeadWidths kWidths{kDim, kDim};
  for (const KvType type : kKvTypes) {
    for (const bool in_key : {true, false}) {
      CAPTURE(static_cast<int>(type), in_key, wrong, place, second_page);
      AlignedBytes k(kv_key_bytes(type, kDim)), v(kv_value_bytes(type, kDim));
      AlignedBytes good_k(kv_key_bytes(type, kDim)), good_v(kv_value_bytes(type, kDim));
      std::vector<float> row(kDim, 0.5F), spoiled(kDim, 0.5F);
      spoiled[37] = wrong;
      for (int t = 0; t < kKeys; ++t) {
        const bool bad = t == place;
        fast.append(type, (bad && in_key ? spoiled : row).data(), (bad && !in_key ? spoiled : row).data(),
                    kWidths, t, k.data(), v.data());
        fast.append(type, row.data(), row.data(), kWidths, t, good_k.data(), good_v.data());
      }
      const std::vector<float> q(kRows * kDim, 0.25F);
      std::int32_t first[kRows] = {0, 0, 22, -1, 21, 30, 0}, last[kRows] = {40, 21, 40, 22, 40, 31, -1};
      State span, whole;
      if (second_page) {  // and no row has a hidden key before its keys
        std::fill(first, first + kRows, 0);
        const std::vector<std::int32_t> from(kRows, 0), to(kRows, kKeys);
        fast.attend(type, {q.data(), kRows, kWidths, from.data(), to.data()}, {good_k.data(), good_v.data()},
                    kKeys, span.view());
      }
      const QueryTile tile{q.data(), kRows, kWidths, first, last};
      fast.attend(type, tile, {k.data(), v.data()}, kKeys, span.view());
      fast.merge(span.view(), kRows, kDim, whole.view());
      fast.finish(whole.view(), kRows, kDim);
      for (int r = 0; r < kRows; ++r) {
        CAPTURE(r);
        const bool sees = first[r] <= place && place < last[r];
        CHECK(std::isfinite(whole.at(r, 37)) != sees);
        if (!sees) CHECK(whole.at(r, 0) == Approx(last[r] > 0 || second_page ? 0.5 : 0).epsilon(0.01));
      }
    }
  }
}

}  // namespace

void check_merge(const Kernels& fast) {
  check_values(fast);
  check_nan(fast);
  for (const int place : {0, 21, 39}) {
    for (const bool second_page : {false, true}) {
      check_bad_keys(fast, kNan, place, second_page);
      check_bad_keys(fast, kInf, place, second_page);
    }
  }
}

}  // namespace partita::internal::test
