// The terms of a screen's bounds, recomputed from their definitions, and hidden states that come as close to
// the strict bound as possible: those along the rounding error of one row.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "sampling/heads/heads.h"
#include "sampling/heads/screen.h"
#include "sampling/heads/screen_making.h"
#include "tests/catch.h"
#include "tests/packed.h"
#include "tests/sampling/rows.h"
#include "weights/codecs/codec.h"

namespace partita::internal::test {
namespace {

using Vector = std::vector<double>;
constexpr std::size_t kVocab = 211, kHidden = 96;

std::vector<float> hidden_state(std::uint64_t seed) {
  std::vector<float> h(kHidden);
  for (std::size_t i = 0; i < kHidden; ++i)
    h[i] = normal_at(seed * kHidden + i) * (i % 17 == 0 ? 4.0F : 1.0F) + (i % 5 == 0 ? 1.0F : 0.0F);
  return h;
}

/// An F16 matrix: its products use the hidden state unchanged.
OwnedMatrix small_matrix() {
  std::vector<float> values(kVocab * kHidden);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.05F * normal_at(1000000 + i) + 0.01F;
  std::vector<std::byte> blocks(values.size() * block_bytes(Dtype::kF16));
  codec(Dtype::kF16).quantize(values.data(), values.size(), blocks.data());
  return pack(Dtype::kF16, kVocab, kHidden, blocks);
}

HiddenMoments moments() {
  HiddenMoments all(kHidden);
  for (std::uint64_t i = 0; i < 400; ++i) all.add(hidden_state(i).data());
  return all;
}

double norm(const double* v, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += v[i] * v[i];
  return std::sqrt(sum);
}

/// The inverse of a matrix [n][n], by Gauss and Jordan.
Vector inverse(Vector a, std::size_t n) {
  Vector b(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) b[i * n + i] = 1;
  for (std::size_t c = 0; c < n; ++c) {
    std::size_t pivot = c;
    for (std::size_t r = c; r < n; ++r)
      pivot = std::abs(a[r * n + c]) > std::abs(a[pivot * n + c]) ? r : pivot;
    for (std::size_t j = 0; j < n; ++j) {
      std::swap(a[c * n + j], a[pivot * n + j]);
      std::swap(b[c * n + j], b[pivot * n + j]);
    }
    const double scale = 1 / a[c * n + c];
    for (std::size_t j = 0; j < n; ++j) {
      a[c * n + j] *= scale;
      b[c * n + j] *= scale;
    }
    for (std::size_t r = 0; r < n; ++r) {
      const double factor = a[r * n + c];
      if (r == c || factor == 0) continue;
      for (std::size_t j = 0; j < n; ++j) {
        a[r * n + j] -= factor * a[c * n + j];
        b[r * n + j] -= factor * b[c * n + j];
      }
    }
  }
  return b;
}

unsigned quant_at(const std::byte* quants, std::size_t lane, std::size_t place) {
  const ScreenPlace at = screen_place(lane, place);
  std::uint32_t word = 0;
  std::memcpy(&word, quants + at.byte, sizeof word);
  return word >> at.shift & 15U;
}

/// A screen's rows in the balanced basis, in their steps, and what rounding left of them.
struct Rounded {
  explicit Rounded(const Screen& screen, const OwnedMatrix& matrix) {
    const ScreenData& d = screen.data();
    const ScreenPanels panels = screen.panels();
    Vector to_basis(kHidden * kHidden);  // A^-1: [out][in]
    for (std::size_t in = 0; in < kHidden; ++in) {
      for (std::size_t out = 0; out < kHidden; ++out)
        to_basis[out * kHidden + in] = static_cast<double>(d.basis[in * kHidden + out]);
    }
    from_basis = inverse(to_basis, kHidden);
    std::vector<float> row(kHidden);
    for (std::size_t r = 0; r < kVocab; ++r) {
      unpack_row(matrix, r, row.data());
      const std::size_t p = r / kPanelRows, lane = r % kPanelRows;
      const auto step = static_cast<double>(panels.steps(p)[lane]);
      Vector u(kHidden), e(kHidden);
      double whole = 0;
      for (std::size_t i = 0; i < kHidden; ++i) {
        for (std::size_t k = 0; k < kHidden; ++k)
          u[i] += static_cast<double>(row[k] - d.mean_row[k]) * from_basis[k * kHidden + i] / step;
        whole += static_cast<double>(row[i]) * static_cast<double>(row[i]);
        const bool wide = i < kWideDims;
        const double n = quant_at(panels.quants(p), lane, kWideDims + i) +
                         (wide ? 16.0 * quant_at(panels.quants(p), lane, i) : 0.0);
        e[i] = u[i] - (n - (wide ? 128 : 8) - static_cast<double>(d.dither[i]));
      }
      norms = std::max(norms, std::sqrt(whole));
      lengths.push_back(norm(u.data(), kHidden));
      narrow.push_back(norm(u.data() + kWideDims, kHidden - kWideDims));
      errors.push_back(std::move(e));
      steps.push_back(step);
    }
  }
  double error(std::size_t r) const { return norm(errors[r].data(), kHidden); }
  std::size_t worst() const {
    std::size_t at = 0;
    for (std::size_t r = 0; r < kVocab; ++r) at = error(r) > error(at) ? r : at;
    return at;
  }

  Vector from_basis;  // A: [in][out]
  std::vector<Vector> errors;
  Vector lengths, narrow, steps;
  double norms = 0;
};

struct Asked {
  Asked(const Screen& screen, const std::vector<float>& hidden, Certificate certificate,
        const Kernels& kernels)
      : rows(1, kHidden), upper(screen.panels().panels() * kPanelRows) {
    screen.change_basis(hidden.data(), 0, 0, kHidden, kernels, rows);
    screen.make_query(hidden.data(), 0, certificate, rows);
    const ScreenPanels panels = screen.panels();
    kernels.screen(panels, 0, panels.panels(), rows.query(1), upper.data(), upper.size(), &lower);
  }
  ScreenQueries rows;
  std::vector<float> upper;
  float lower = -std::numeric_limits<float>::infinity();
};

double logit(const OwnedMatrix& matrix, std::size_t r, const std::vector<float>& hidden) {
  std::vector<float> row(kHidden);
  unpack_row(matrix, r, row.data());
  double sum = 0;
  for (std::size_t i = 0; i < kHidden; ++i)
    sum += static_cast<double>(row[i]) * static_cast<double>(hidden[i]);
  return sum;
}

TEST_CASE("The numbers of a screen are the largest of its rows") {
  const OwnedMatrix matrix = small_matrix();
  const Screen screen = *make_screen(matrix, moments(), {.threads = 2});
  for (const int threads : {1, 3, 5}) {
    const Screen same = *make_screen(matrix, moments(), {.threads = threads});
    CHECK(same.data().error == screen.data().error);
    CHECK(same.data().length == screen.data().length);
    CHECK(same.data().narrow == screen.data().narrow);
    CHECK(same.data().norm == screen.data().norm);
    CHECK(same.data().residue == screen.data().residue);
    CHECK(std::memcmp(same.data().panels.data(), screen.data().panels.data(), screen.panels().bytes()) == 0);
  }
  const Rounded rows(screen, matrix);
  const ScreenData& d = screen.data();
  CHECK(d.error == Approx(rows.error(rows.worst())).epsilon(1e-4));
  CHECK(d.length == Approx(*std::max_element(rows.lengths.begin(), rows.lengths.end())).epsilon(1e-5));
  CHECK(d.narrow == Approx(*std::max_element(rows.narrow.begin(), rows.narrow.end())).epsilon(1e-5));
  CHECK(d.norm == Approx(rows.norms).epsilon(1e-5));
  CHECK(d.residue > 0);
  CHECK(d.residue < 1e-6 * d.norm * kHidden);
  CHECK(d.rounding == (kHidden + 16) * 0x1p-24);  // a column each
  for (std::size_t r = 0; r < kVocab; ++r) {
    for (const double e : rows.errors[r]) REQUIRE(std::abs(e) <= 0.5 + 1e-4);
  }
}

TEST_CASE("The error bound of a query is the sum of its four errors, and 0 without a certificate") {
  const OwnedMatrix matrix = small_matrix();
  const Screen screen = *make_screen(matrix, moments(), {});
  const ScreenData& d = screen.data();
  const Kernels& kernels = *all_kernels().back().kernels;
  for (std::uint64_t seed = 500; seed < 520; ++seed) {
    const std::vector<float> hidden = hidden_state(seed);
    Vector g(kHidden);
    double states = 0, centred = 0, most_wide = 0, most_narrow = 0;
    for (std::size_t i = 0; i < kHidden; ++i) {
      for (std::size_t k = 0; k < kHidden; ++k)
        g[i] += (static_cast<double>(hidden[k]) - static_cast<double>(d.mean[k])) *
                static_cast<double>(d.basis[k * kHidden + i]);
      (i < kWideDims ? most_wide : most_narrow) =
          std::max(i < kWideDims ? most_wide : most_narrow, std::abs(g[i]));
      const auto h = static_cast<double>(hidden[i]);
      states += h * h;
      centred += (h - static_cast<double>(d.mean[i])) * (h - static_cast<double>(d.mean[i]));
    }
    double taken = 0, missed_wide = 0, missed_narrow = 0;
    for (std::size_t i = 0; i < kHidden; ++i) {
      const bool wide = i < kWideDims;
      const double scale = wide ? most_wide * 16 / 32767 : most_narrow / 127;
      const double whole = std::min(std::rint(std::abs(g[i]) / scale), wide ? 2047.0 : 127.0) * scale;
      taken += whole * whole;
      (wide ? missed_wide : missed_narrow) += (std::abs(g[i]) - whole) * (std::abs(g[i]) - whole);
    }
    const double rounding = d.length * std::sqrt(missed_wide) + d.narrow * std::sqrt(missed_narrow);
    const double slack = d.rounding * d.norm * std::sqrt(states) + d.residue * std::sqrt(centred);
    const auto query = [&](Certificate certificate) {
      const Asked asked(screen, hidden, certificate, kernels);
      const ScreenQuery q = asked.rows.query(1);
      return std::pair(static_cast<double>(q.error_bound[0]), static_cast<double>(q.slack[0]));
    };
    const auto strict = query(Certificate::kStrict), dithered = query(Certificate::kDithered);
    CHECK(strict.first == Approx(d.error * std::sqrt(taken) + rounding).epsilon(2e-4));
    CHECK(strict.first >= d.error * std::sqrt(taken));
    CHECK(dithered.first == Approx(9 / std::sqrt(12.0) * std::sqrt(taken) + rounding).epsilon(2e-4));
    CHECK(strict.second == Approx(slack).epsilon(1e-4));
    CHECK(dithered.second == strict.second);
    CHECK(query(Certificate::kNone) == std::pair(0.0, 0.0));
  }
}

TEST_CASE("The strict bounds hold where the hidden state is the rounding error of one row") {
  const OwnedMatrix matrix = small_matrix();
  const Screen screen = *make_screen(matrix, moments(), {});
  const Rounded rows(screen, matrix);
  const ScreenData& d = screen.data();
  const std::size_t worst = rows.worst();
  for (const double sign : {1.0, -1.0}) {
    // g along the error, at whole steps of the query: an error from rounding g would hide a fault of the
    // bound.
    const Vector& e = rows.errors[worst];
    double most_wide = 0, most_narrow = 0;
    for (std::size_t i = 0; i < kHidden; ++i)
      (i < kWideDims ? most_wide : most_narrow) =
          std::max(i < kWideDims ? most_wide : most_narrow, std::abs(e[i]));
    Vector g(kHidden);
    for (std::size_t i = 0; i < kHidden; ++i) {
      const double step = i < kWideDims ? most_wide * 16 / 32767 : most_narrow / 127;
      g[i] = sign * std::rint(e[i] / step) * step;
    }
    std::vector<float> hidden(kHidden);
    for (std::size_t k = 0; k < kHidden; ++k) {
      auto h = static_cast<double>(d.mean[k]);
      for (std::size_t i = 0; i < kHidden; ++i) h += rows.from_basis[k * kHidden + i] * g[i];
      hidden[k] = static_cast<float>(h);
    }
    const double own = logit(matrix, worst, hidden) - screen.shift(hidden.data());
    for (const NamedKernels& k : all_kernels()) {
      if (k.kernels == &exact_kernels()) continue;
      const Asked strict(screen, hidden, Certificate::kStrict, *k.kernels);
      const Asked none(screen, hidden, Certificate::kNone, *k.kernels);
      const double error = own - static_cast<double>(none.upper[worst]);
      const double width = static_cast<double>(strict.upper[worst]) - static_cast<double>(none.upper[worst]);
      CAPTURE(k.name, sign, own, error, width);
      CHECK(sign * error > 0.93 * width);  // otherwise this state tests little
      CHECK(std::abs(error) <= width);
      for (std::size_t r = 0; r < kVocab; ++r) {
        const double value = logit(matrix, r, hidden) - screen.shift(hidden.data());
        REQUIRE(value <= static_cast<double>(strict.upper[r]));
        REQUIRE(value >=
                2 * static_cast<double>(none.upper[r]) - static_cast<double>(strict.upper[r]) - 1e-4);
      }
    }
  }
}

TEST_CASE("A word just outside a nucleus is not drawn from it, one just inside is") {
  // Few rows have nearly all of the mass, so that the screen alone can decide.
  constexpr std::size_t kRows = 2003;
  std::vector<float> values(kRows * kHidden);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool stands_out = i / kHidden % 97 == 3, along_the_mean = i % kHidden % 5 == 0;
    values[i] =
        normal_at(5000000 + i) * (stands_out ? 0.05F : 0.01F) + (stands_out && along_the_mean ? 0.8F : 0);
  }
  std::vector<std::byte> blocks(values.size() * block_bytes(Dtype::kF16));
  codec(Dtype::kF16).quantize(values.data(), values.size(), blocks.data());
  const OwnedMatrix matrix = pack(Dtype::kF16, kRows, kHidden, blocks);
  const Screen screen = *make_screen(matrix, moments(), {});
  const Kernels& kernels = *all_kernels().back().kernels;
  const auto plain = make_dense_head(matrix, kernels);
  const auto screened = make_screened_head(matrix, screen, Certificate::kDithered, kernels);
  const auto answer = [](const OutputHead& head, const Question& question) {
    std::vector<Result<Answer>> answers(1, Result<Answer>(Answer{}));
    const auto scratch = head.make_scratch(1, 1);
    head.answer({&question, 1}, *scratch, answers);
    REQUIRE(answers[0]);
    return *answers[0];
  };
  const Chain free = *Chain::create({});
  std::size_t tried = 0, decided = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const std::vector<float> hidden = hidden_state(9000 + i);
    Question question;
    question.hidden = hidden.data();
    question.chain = &free;
    question.key = {5, 1, i};
    const auto drawn = static_cast<std::size_t>(answer(*plain, question).choice.id);
    const double own = logit(matrix, drawn, hidden);
    double before = 0, sum = 0;
    for (std::size_t r = 0; r < kRows; ++r) {
      const double l = logit(matrix, r, hidden);
      sum += std::exp(l - own);
      before += l > own ? std::exp(l - own) : 0;
    }
    const double mass = before / sum;
    if (mass < 0.3 || mass > 0.97) continue;
    ++tried;
    for (const double factor : {1 - 1e-3, 1 + 1e-3}) {
      const Chain nucleus = *Chain::create({{"top_p", static_cast<float>(mass * factor)}});
      question.chain = &nucleus;
      const Answer expected = answer(*plain, question), few = answer(*screened, question);
      CAPTURE(i, mass, factor, drawn);
      CHECK((static_cast<std::size_t>(expected.choice.id) == drawn) == (factor > 1));
      CHECK(few.choice.id == expected.choice.id);
      decided += few.head_bytes < matrix.bytes() ? 1 : 0;
    }
  }
  CAPTURE(tried, decided);
  CHECK(tried > 20);
  CHECK(decided > tried / 4);
}

}  // namespace
}  // namespace partita::internal::test
