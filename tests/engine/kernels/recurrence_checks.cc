// decay and delta_rule, by their definition in float64.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "tests/catch.h"
#include "tests/engine/kernels/kernel_checks.h"

namespace partita::internal::test {
namespace {

/// Random multiples of 1/1024 in [-scale, scale]: the same on every machine.
std::vector<float> steps_of(std::size_t n, unsigned seed, float scale = 1) {
  std::mt19937 rng(seed);
  std::vector<float> x(n);
  for (float& v : x) v = scale * static_cast<float>(static_cast<int>(rng() % 2049) - 1024) / 1024.0F;
  return x;
}

void check_decay(const Kernels& fast) {
  std::vector<float> x = {0, 1, -1, 20, -20, 100, -100, 1000, -1000, kInf, -kInf, kNan};
  for (int i = -400; i <= 400; ++i) x.push_back(0.05F * static_cast<float>(i));
  const std::size_t n = x.size();
  std::vector<float> bias = steps_of(n, 1), rate = steps_of(n, 2, 4), y(n, kNan);
  for (float& r : rate) r = -std::abs(r);
  fast.decay(x.data(), bias.data(), rate.data(), n, y.data());
  for (std::size_t i = 0; i < n; ++i) {
    CAPTURE(i, x[i], bias[i], rate[i]);
    if (std::isnan(x[i])) {
      CHECK(std::isnan(y[i]));
      continue;
    }
    const double z = static_cast<double>(x[i]) + bias[i];
    const double expected = std::exp(rate[i] * (z > 40 ? z : std::log1p(std::exp(z))));
    CHECK(y[i] == Approx(expected).epsilon(5e-6).margin(1e-30));
  }
}

/// Random tokens of one head, rows farther apart than they are long.
struct DeltaHead {
  std::size_t count, keys, values;
  bool decay_of_key;
  std::vector<float> q, k, v, decay, beta;

  DeltaHead(std::size_t tokens, std::size_t key_width, std::size_t value_width, bool each)
      : count(tokens), keys(key_width), values(value_width), decay_of_key(each) {
    const float norm = 1 / std::sqrt(static_cast<float>(keys));
    q = steps_of(count * (keys + 3), 5, norm);
    k = steps_of(count * (keys + 1), 6, 2 * norm);
    v = steps_of(count * (values + 2), 7);
    decay = steps_of(count * (keys + 1), 8);
    for (float& d : decay) d = 0.5F + std::abs(d) / 2;
    beta = steps_of(count * 2, 9);
    for (float& b : beta) b = std::abs(b);
  }
  DeltaTokens tokens(std::size_t first, std::size_t end) const {
    const auto rows = [&](const std::vector<float>& all, std::size_t stride) {
      return FloatRows{all.data() + first * stride, stride};
    };
    return {end - first,
            keys,
            values,
            rows(q, keys + 3),
            rows(k, keys + 1),
            rows(v, values + 2),
            rows(decay, keys + 1),
            decay_of_key,
            rows(beta, 2)};
  }
  std::vector<double> defined() const {
    std::vector<double> state(keys * values, 0), y;
    const DeltaTokens x = tokens(0, count);
    for (std::size_t t = 0; t < count; ++t) {
      for (std::size_t c = 0; c < values; ++c) {
        double seen = 0, out = 0;
        for (std::size_t i = 0; i < keys; ++i) {
          state[i * values + c] *= x.decay[t][decay_of_key ? i : 0];
          seen += state[i * values + c] * x.k[t][i];
        }
        for (std::size_t i = 0; i < keys; ++i) {
          state[i * values + c] += x.k[t][i] * *x.beta[t] * (x.v[t][c] - seen);
          out += state[i * values + c] * x.q[t][i];
        }
        y.push_back(out);
      }
    }
    return y;
  }
};

struct DeltaOutcome {
  std::vector<float> y, state;
  bool operator==(const DeltaOutcome&) const = default;
};

/// Runs a head in calls of `step` tokens.
DeltaOutcome run_head(const Kernels& kernels, const DeltaHead& head, std::size_t step) {
  DeltaOutcome out{std::vector<float>(head.count * head.values, kNan),
                   std::vector<float>(DeltaTokens::state_size(head.keys, head.values), 0)};
  for (std::size_t t = 0; t < head.count; t += step) {
    kernels.delta_rule(head.tokens(t, std::min(t + step, head.count)), out.state.data(),
                       out.y.data() + t * head.values, head.values);
  }
  return out;
}

void check_delta_rule(const Kernels& fast) {
  constexpr std::size_t kTokens = 37;
  for (const auto& [keys, values] : {std::pair<std::size_t, std::size_t>{1, 1},
                                     {8, 8},
                                     {24, 20},
                                     {16, 48},
                                     {128, 128},
                                     {64, 100},
                                     {512, 16}}) {
    for (const bool each : {false, true}) {
      CAPTURE(keys, values, each);
      const DeltaHead head(kTokens, keys, values, each);
      const DeltaOutcome whole = run_head(fast, head, kTokens);
      const std::vector<double> expected = head.defined();
      double worst = 0;
      for (std::size_t i = 0; i < expected.size(); ++i)
        worst = std::max(worst, std::abs(whole.y[i] - expected[i]));
      CHECK(worst < 2e-5);
      for (const std::size_t step : {1, 2, 16}) CHECK(run_head(fast, head, step) == whole);
    }
  }
}

}  // namespace

void check_recurrences(const Kernels& fast) {
  check_decay(fast);
  check_delta_rule(fast);
}

void check_recorded_recurrences(const Kernels& fast) {
  std::uint64_t digest = 0xCBF29CE484222325U;  // FNV-1a
  const auto take = [&](const std::vector<float>& values) {
    for (const float value : values) {
      unsigned char bytes[sizeof value];
      std::memcpy(bytes, &value, sizeof value);
      for (const unsigned char byte : bytes) digest = (digest ^ byte) * 0x100000001B3U;
    }
  };
  for (const bool each : {false, true}) {
    const DeltaOutcome out = run_head(fast, DeltaHead(9, 24, 40, each), 4);
    take(out.y);
    take(out.state);
  }
  std::vector<float> y(77);
  const std::vector<float> x = steps_of(77, 10, 30), weight = steps_of(2 * 77, 11, -2);
  fast.decay(x.data(), weight.data() + 77, weight.data(), 77, y.data());
  take(y);
  CHECK(digest == 0x181887C810B9994AU);
}

}  // namespace partita::internal::test
