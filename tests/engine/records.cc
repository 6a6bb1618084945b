#include "tests/engine/records.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "tests/catch.h"
#include "tests/engine/runs.h"

namespace partita::internal::testing {
namespace {

/// Rows of recorded logits: the largest difference relative to the largest logit of the row.
double logit_difference(const Transformer& model, std::span<const float> hidden, const nlohmann::json& rows) {
  const std::size_t width = model.config().hidden_size;
  double worst = 0;
  for (const auto& row : rows) {
    const std::vector<float> found =
        logits_of(model, hidden.subspan(row["position"].get<std::size_t>() * width, width), 1);
    const auto expected = row["values"].get<std::vector<double>>();
    REQUIRE(found.size() == expected.size());
    double largest = 0, difference = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      largest = std::max(largest, std::abs(expected[i]));
      difference = std::max(difference, std::abs(static_cast<double>(found[i]) - expected[i]));
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

}  // namespace

Bounds bounds_of(const Transformer& model) {
  if (model.exact()) return {.mean = 2e-5, .logits = 1e-5, .same_top = 1};
  const double mean = uses_tiles(model.isa()) || model.kv_type() == KvType::kF16I8 ? 0.015 : 0.004;
  return {.mean = mean, .logits = mean, .same_top = 0.99};
}

Bounds tiny_bounds_of(const Transformer& model) {
  if (uses_tiles(model.isa())) return {.mean = 0.05, .logits = 0.025, .same_top = 0.975};
  return bounds_of(model);
}

nlohmann::json read_record(const std::string& path) {
  std::ifstream in(std::string(PARTITA_TEST_DATA) + "/engine/" + path);
  INFO(path);
  REQUIRE(in.good());
  return nlohmann::json::parse(in);
}

Scores recorded(const nlohmann::json& sequence, std::size_t n) {
  Scores s;
  for (std::size_t i = 0; i < n; ++i) {
    const auto& value = sequence["logprobs"][i];
    s.logprobs.push_back(value.is_null() ? std::nan("") : value.get<double>());
    s.top_ids.push_back(sequence["top_ids"][i]);
  }
  return s;
}

Scores scores_of(const Transformer& model, std::span<const float> hidden, std::span<const std::int32_t> ids,
                 int threads) {
  constexpr std::size_t kRows = 64;  // of logits held at once
  const std::size_t width = model.config().hidden_size, vocab = model.config().vocab_size;
  Scores s{{std::nan("")}, {}};
  for (std::size_t first = 0; first < ids.size(); first += kRows) {
    const std::size_t rows = std::min(kRows, ids.size() - first);
    const std::vector<float> logits = logits_of(model, hidden.subspan(first * width, rows * width), threads);
    for (std::size_t r = 0; r < rows; ++r) {
      const auto row = std::span(logits).subspan(r * vocab, vocab);
      s.top_ids.push_back(argmax(row));
      if (first + r + 1 < ids.size()) s.logprobs.push_back(log_probability(row, ids[first + r + 1]));
    }
  }
  return s;
}

Agreement compare(const Scores& found, const Scores& expected) {
  REQUIRE(found.logprobs.size() == expected.logprobs.size());
  REQUIRE(found.top_ids.size() == expected.top_ids.size());
  Agreement a;
  const std::size_t n = found.top_ids.size();
  for (std::size_t i = 0; i < n; ++i) a.same_top += found.top_ids[i] == expected.top_ids[i];
  a.same_top /= static_cast<double>(n);
  for (std::size_t i = 1; i < n; ++i) {
    const double delta = std::abs(found.logprobs[i] - expected.logprobs[i]);
    a.mean += delta / static_cast<double>(n - 1);
    a.largest = std::max(a.largest, delta);
  }
  return a;
}

void check(const Agreement& a, const Transformer& model, const Bounds& bounds) {
  INFO("mean " << a.mean << ", largest " << a.largest << ", same top " << a.same_top);
  CHECK(a.mean <= bounds.mean);
  CHECK(a.same_top >= bounds.same_top);
  if (model.exact()) CHECK(a.largest <= 10 * bounds.mean);
}

void check_sequence(const Transformer& model, std::span<const float> hidden, const nlohmann::json& sequence,
                    const Bounds& bounds) {
  const auto ids = sequence["ids"].get<std::vector<std::int32_t>>();
  check(compare(scores_of(model, hidden, ids, 1), recorded(sequence, ids.size())), model, bounds);
  const double logits = logit_difference(model, hidden, sequence["logits"]);
  INFO("logits differ by " << logits << " of the largest");
  CHECK(logits <= bounds.logits);
}

}  // namespace partita::internal::testing
