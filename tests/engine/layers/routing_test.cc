// Routing of mixtures of experts against a plain definition: masks and sorted lists instead of running
// choices.
#include "engine/layers/routing.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/limits.h"
#include "tests/catch.h"

using namespace partita::internal;

namespace {

using Values = std::vector<double>;

/// The ids of the `n` largest, in ascending order.
std::set<std::size_t> largest(const Values& values, std::size_t n) {
  std::vector<std::size_t> ids(values.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](auto a, auto b) { return values[a] > values[b]; });
  return {ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n)};
}

Values softmax(const Values& x) {
  Values out;
  double sum = 0;
  for (const double value : x) sum += std::exp(value);
  for (const double value : x) out.push_back(std::exp(value) / sum);
  return out;
}

/// The weight of every expert; 0: not chosen.
Values plain_weights(const Routing& r, const std::vector<float>& logits, const std::vector<float>& bias) {
  Values scores(logits.begin(), logits.end());
  if (r.scores == Routing::Scores::kSigmoid) {
    for (double& s : scores) s = 1 / (1 + std::exp(-s));
  } else {
    scores = softmax(scores);
  }
  Values choice = scores;
  for (std::size_t i = 0; i < bias.size(); ++i) choice[i] += bias[i];
  const std::size_t size = logits.size() / r.groups;
  if (r.groups > 1) {
    Values groups;
    for (std::size_t g = 0; g < r.groups; ++g) {
      Values members(choice.begin() + static_cast<std::ptrdiff_t>(g * size),
                     choice.begin() + static_cast<std::ptrdiff_t>((g + 1) * size));
      std::sort(members.rbegin(), members.rend());
      groups.push_back(members[0] + (bias.empty() || size == 1 ? 0 : members[1]));
    }
    const std::set<std::size_t> kept = largest(groups, r.used_groups);
    for (std::size_t i = 0; i < choice.size(); ++i) {
      if (kept.count(i / size) == 0) choice[i] = -1e9;
    }
  }
  Values out(logits.size(), 0.0);
  double sum = 0;
  for (const std::size_t e : largest(choice, r.used)) sum += scores[e];
  for (const std::size_t e : largest(choice, r.used)) out[e] = scores[e] * r.scale / (r.normalized ? sum : 1);
  return out;
}

std::vector<Routed> chosen_by(const Routing& routing, const std::vector<float>& logits,
                              const std::vector<float>& bias = {}) {
  std::vector<Routed> chosen(routing.used);
  route(routing, logits, bias, 7, chosen);
  return chosen;
}

void check_equal(const std::vector<Routed>& chosen, const Values& weights) {
  std::vector<std::uint32_t> ids, expected;
  for (std::uint32_t e = 0; e < weights.size(); ++e) {
    if (weights[e] != 0) expected.push_back(e);
  }
  for (const Routed& one : chosen) {
    ids.push_back(one.expert);
    CHECK(one.row == 7);
    CHECK(std::abs(one.weight - weights[one.expert]) <= 1e-6 * std::abs(weights[one.expert]));
  }
  CHECK(ids == expected);
}

}  // namespace

TEST_CASE("Routing: experts and weights of the plain definition, in every combination") {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (const std::uint32_t experts : {1U, 2U, 12U, 64U, kMaxExperts}) {
    std::vector<float> logits(experts), bias(experts);
    for (int mask = 0; mask < 32; ++mask) {
      for (float& logit : logits) logit = 2 * normal(random);
      for (float& one : bias) one = 0.3F * normal(random);
      Routing r;
      if ((mask & 1) != 0) r.scores = Routing::Scores::kSigmoid;
      r.normalized = (mask & 2) != 0;
      if ((mask & 4) != 0) r.scale = 2.5F;
      if ((mask & 8) != 0 && experts % 4 == 0) r.groups = experts == 12 ? 4 : experts / 4, r.used_groups = 2;
      const std::uint32_t left = r.groups > 1 ? experts / r.groups * r.used_groups : experts;
      for (const std::uint32_t used : {1U, 2U, 6U, left}) {
        if (used > left) continue;
        r.used = used;
        INFO("experts " << experts << ", used " << used << ", combination " << mask);
        const std::vector<float> added = (mask & 16) != 0 ? bias : std::vector<float>();
        check_equal(chosen_by(r, logits, added), plain_weights(r, logits, added));
      }
    }
  }
}

TEST_CASE("Routing: of equal scores the lower ids") {
  const std::vector<float> logits(9, 0.5F);
  for (const std::uint32_t groups : {1U, 3U}) {
    const auto chosen = chosen_by({.used = 2, .groups = groups, .used_groups = 1}, logits);
    CHECK(chosen[0].expert == 0);
    CHECK(chosen[1].expert == 1);
  }
}

TEST_CASE("Routing: a bias decides the choice, and the weights are of the scores alone") {
  Routing r{.scores = Routing::Scores::kSigmoid, .used = 1, .normalized = false};
  const auto chosen = chosen_by(r, {3, 0, -1}, {-5, 0, 0.1F});
  CHECK(chosen[0].expert == 1);
  CHECK(chosen[0].weight == 0.5F);
}

TEST_CASE("Routing: extreme logits give finite weights") {
  for (const auto scores :
       {Routing::Scores::kSoftmax, Routing::Scores::kSigmoid, Routing::Scores::kSparseMixer}) {
    for (const float size : {1e4F, -1e4F}) {
      for (const Routed& one : chosen_by({.scores = scores, .used = 2}, {size, size, -size})) {
        CHECK(std::isfinite(one.weight));
        CHECK(one.expert < 3);
      }
    }
  }
}

TEST_CASE("Routing: a sparse mixer weighs one expert after the other among those that are near") {
  // The largest is 10, and within 2 % of it 9.9; then 9.9 is the largest, and 9.75 is within 2 % of it.
  const Routing r{.scores = Routing::Scores::kSparseMixer, .used = 2};
  const auto chosen = chosen_by(r, {9.75F, 1, 10, 9.9F});
  CHECK(chosen[0].expert == 2);
  CHECK(std::abs(chosen[0].weight - 1 / (1 + std::exp(-0.1))) < 1e-6);
  CHECK(chosen[1].expert == 3);
  CHECK(std::abs(chosen[1].weight - 1 / (1 + std::exp(-0.15))) < 1e-6);
  // Relative to the larger of its magnitude and the largest logit: of -1.
  const auto negative = chosen_by(r, {-1, -1.01F, -1.5F});
  CHECK(std::abs(negative[0].weight - 1 / (1 + std::exp(-0.01))) < 1e-6);
  CHECK(std::abs(negative[1].weight - 1) < 1e-6);
}
