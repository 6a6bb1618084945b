#include "engine/layers/altup.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/layers/products.h"
#include "engine/limits.h"

namespace partita::internal {
namespace {

constexpr std::size_t kStep = 16;  // columns that are computed together

float dot_product(const float* a, const float* b, std::size_t n) {
  float lanes[kStep] = {};
  std::size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    for (std::size_t j = 0; j < kStep; ++j) lanes[j] += a[i + j] * b[i + j];
  }
  for (; i < n; ++i) lanes[i % kStep] += a[i] * b[i];
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

float root_mean_square(const float* x, std::size_t n) {
  return std::sqrt(dot_product(x, x, n) / static_cast<float>(n));
}

/// The versions of one row.
struct RowVersions {
  RowVersions(Workspace& ws, std::size_t r)
      : hidden(ws.x.cols()), count(ws.model.versions().count), first(ws.versions.row(r)) {}
  float* operator[](std::size_t i) const { return first + i * hidden; }

  std::size_t hidden, count;
  float* first;
};

/// out = weights tanh(router norm(x)): [n], of weights [n][versions]. spare: [hidden].
void mix_coefficients(const Workspace& ws, const AltUp& altup, const float* x, const Vector& weights,
                      float* spare, float* out) {
  const std::size_t hidden = ws.x.cols(), count = ws.model.versions().count;
  float modes[kMaxVersions];
  apply(ws, altup.router_norm, x, spare);
  for (std::size_t m = 0; m < count; ++m)
    modes[m] = std::tanh(dot_product(altup.router.data() + m * hidden, spare, hidden));
  for (std::size_t i = 0; i * count < weights.size(); ++i)
    out[i] = dot_product(weights.data() + i * count, modes, count);
}

/// Each version v[i] gets the sum of coefficients[i][j] * v[j] more.
void add_mixtures(const RowVersions& v, const float* coefficients) {
  for (std::size_t at = 0; at < v.hidden; at += kStep) {
    const std::size_t n = std::min(kStep, v.hidden - at);
    float old[kMaxVersions][kStep] = {};
    for (std::size_t i = 0; i < v.count; ++i) std::copy_n(v[i] + at, n, old[i]);
    for (std::size_t i = 0; i < v.count; ++i) {
      float sum[kStep] = {};
      for (std::size_t j = 0; j < v.count; ++j) {
        for (std::size_t k = 0; k < kStep; ++k) sum[k] += coefficients[i * v.count + j] * old[j][k];
      }
      for (std::size_t k = 0; k < n; ++k) v[i][at + k] += sum[k];
    }
  }
}

/// All versions but the first get what layers left in x.
void add_left(const RowVersions& v, const float* x) {
  for (std::size_t i = 1; i < v.count; ++i) {
    for (std::size_t k = 0; k < v.hidden; ++k) v[i][k] += x[k];
  }
}

/// y becomes as large as `size`.
void resize_to(float size, std::size_t n, float* y) {
  constexpr float kLeastSquare = 1e-5F;
  const float own = std::max(dot_product(y, y, n) / static_cast<float>(n), kLeastSquare);
  const float root = std::sqrt(own);
  for (std::size_t k = 0; k < n; ++k) y[k] = y[k] * size / root;
}

/// Calls body(r) for each of the worker's rows; all are done on return. Shares hold until the next barrier
/// only.
template <class F>
void for_own_rows(const Worker& worker, const Workspace& ws, F&& body) {
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) body(r);
  worker.wait();
}

/// ws.y = linear ws.x.
void multiply_rows(const Worker& worker, Workspace& ws, const Linear& linear) {
  const Activations x = normed(worker, ws, Norm{}, ws.x, {&linear});
  multiply(worker, ws, x, {{linear, ws.y}});
  worker.wait();
}

}  // namespace

void spread_versions(const Worker& worker, Workspace& ws) {
  const ResidualVersions& versions = ws.model.versions();
  const std::size_t hidden = ws.x.cols();
  for (std::size_t i = 1; i < versions.count; ++i) {
    multiply_rows(worker, ws, versions.spread[i - 1]);
    for_own_rows(worker, ws, [&](std::size_t r) {
      resize_to(root_mean_square(ws.x.row(r), hidden), hidden, ws.y.row(r));
      std::copy_n(ws.y.row(r), hidden, RowVersions(ws, r)[i]);
    });
  }
  if (versions.count == 0) return;
  for_own_rows(worker, ws, [&](std::size_t r) {
    std::copy_n(ws.x.row(r), hidden, RowVersions(ws, r)[0]);
    std::fill_n(ws.x.row(r), hidden, 0.0F);
  });
}

void predict(const Worker& worker, Workspace& ws, const AltUp& altup) {
  for_own_rows(worker, ws, [&](std::size_t r) {
    const RowVersions v(ws, r);
    const float* const active = v[ws.model.versions().active];
    float coefficients[kMaxVersions * kMaxVersions];
    add_left(v, ws.x.row(r));
    mix_coefficients(ws, altup, active, altup.predict, ws.y.row(r), coefficients);
    add_mixtures(v, coefficients);
    std::copy_n(active, v.hidden, ws.x.row(r));
  });
}

void correct(const Worker& worker, Workspace& ws, const AltUp& altup) {
  for_own_rows(worker, ws, [&](std::size_t r) {
    const RowVersions v(ws, r);
    const float* const active = v[ws.model.versions().active];
    float *const x = ws.x.row(r), *const change = ws.y.row(r);
    float coefficients[kMaxVersions];
    mix_coefficients(ws, altup, x, altup.correct, change, coefficients);
    for (std::size_t k = 0; k < v.hidden; ++k) change[k] = x[k] - active[k];
    for (std::size_t i = 0; i < v.count; ++i) {
      for (std::size_t k = 0; k < v.hidden; ++k) v[i][k] += change[k] * (coefficients[i] + 1);
    }
    for (std::size_t k = 0; k < v.hidden; ++k) x[k] = active[k] * altup.correct_scale[k];
  });
}

void merge_versions(const Worker& worker, Workspace& ws) {
  const ResidualVersions& versions = ws.model.versions();
  if (versions.count == 0) return;
  const std::size_t hidden = ws.x.cols();
  for_own_rows(worker, ws, [&](std::size_t r) { add_left(RowVersions(ws, r), ws.x.row(r)); });
  for (std::size_t i = 1; i < versions.count; ++i) {
    for_own_rows(worker, ws, [&](std::size_t r) { std::copy_n(RowVersions(ws, r)[i], hidden, ws.x.row(r)); });
    multiply_rows(worker, ws, versions.merge[i - 1]);
    for_own_rows(worker, ws, [&](std::size_t r) {
      const RowVersions v(ws, r);
      resize_to(root_mean_square(v[0], hidden), hidden, ws.y.row(r));
      std::copy_n(ws.y.row(r), hidden, v[i]);
    });
  }
  for_own_rows(worker, ws, [&](std::size_t r) {
    const RowVersions v(ws, r);
    for (std::size_t k = 0; k < hidden; ++k) {
      float sum = 0;
      for (std::size_t i = 0; i < v.count; ++i) sum += v[i][k];
      ws.x.row(r)[k] = sum / static_cast<float>(v.count);
    }
  });
}

}  // namespace partita::internal
