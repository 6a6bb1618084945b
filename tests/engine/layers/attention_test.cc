// attend() alone, compared with its definition in double: every head of every row, and nothing is written
// beside them.
#include "engine/layers/attention.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "engine/layers/alibi.h"
#include "tests/catch.h"
#include "tests/engine/tiny_models.h"
#include "tests/sanitized.h"

namespace partita::internal::testing {
namespace {

constexpr float kCanary = 12345.0F;
constexpr std::size_t kSpareRows = 2;

struct Shape {
  std::uint32_t heads, kv_heads;
  std::uint32_t window = 0, sinks = 0;
  double max_alibi_bias = 0;
};

/// Sequences with keys and values in f32, and rows of a step that ask for their last tokens.
struct Case {
  Case(const Shape& shape, int threads,
       const std::vector<std::pair<std::size_t, std::size_t>>& lengths_and_rows) {
    TinySpec spec = tiny_llama(Dtype::kF32);
    spec.heads = shape.heads;
    spec.kv_heads = shape.kv_heads;
    spec.head_dim = 16;
    spec.layers = 1;
    spec.attention_window = shape.window;
    spec.attention_sinks = shape.sinks;
    const TinyFile file(spec);
    model = load(file.gguf(), with_attention(spec, {}));
    attention = std::get<Attention>(model->layers()[0].mixer);
    if (shape.max_alibi_bias > 0) attention.slopes = alibi_slopes(shape.heads, shape.max_alibi_bias);
    pool = std::make_unique<KvPool>(model->states(), KvType::kF32, 0);
    std::size_t rows = 0;
    for (const auto& [length, asked] : lengths_and_rows) rows += asked;
    ws = std::make_unique<Workspace>(*model, threads, rows + kSpareRows);
    std::normal_distribution<float> normal;
    for (const auto& [length, asked] : lengths_and_rows) {
      sequences.push_back(std::make_unique<KvSequence>(*pool));
      KvSequence& s = *sequences.back();
      REQUIRE(s.reserve(length).ok());
      std::vector<float> kv(length * width() * 2);
      for (float& x : kv) x = normal(random);
      for (std::size_t t = 0; t < length; ++t) {
        for (std::size_t head = 0; head < shape.kv_heads; ++head) {
          std::byte* page = s.page(0, t / kPageTokens);
          const float* at = kv.data() + t * width() * 2 + head * 16;
          model->kernels().append(KvType::kF32, at, at + width(), {16, 16}, static_cast<int>(t % kPageTokens),
                                  page + pool->k_offset(0, head), page + pool->v_offset(0, head));
        }
      }
      for (std::size_t r = 0; r < asked; ++r) {
        ws->rows.push_back({&s, length - asked + r});
        of_row.push_back(keys_values.size());
      }
      keys_values.push_back(std::move(kv));
    }
    for (std::size_t r = 0; r < rows + kSpareRows; ++r) {
      for (std::size_t i = 0; i < ws->q.cols(); ++i) ws->q.row(r)[i] = normal(random);
      std::fill_n(ws->mixed.row(r), ws->mixed.cols(), kCanary);
    }
    std::vector<std::size_t> all(rows);
    for (std::size_t r = 0; r < rows; ++r) all[r] = r;
    plan_attention(*ws, all, ws->attention_plans[0]);
  }

  std::size_t width() const { return model->config().kv_heads * std::size_t{16}; }
  bool sees(std::size_t position, std::size_t key) const {
    const LayerKind& kind = model->config().layer_kinds[0];
    const bool chunk = attention.chunk == 0 || key / attention.chunk == position / attention.chunk;
    const bool window = kind.window == 0 || position - key < kind.window;
    return key <= position && ((window && chunk) || key < kind.sinks);
  }

  /// The largest difference from the definition.
  double error(std::size_t row) {
    const Config& c = model->config();
    const std::vector<float>& kv = keys_values[of_row[row]];
    double worst = 0;
    for (std::size_t head = 0; head < c.heads; ++head) {
      const std::size_t kv_head = head / (c.heads / c.kv_heads);
      const float* const q = ws->q.row(row) + head * 16;
      double sum = 0, out[16] = {};
      if (!attention.sink_logits.empty()) sum = std::exp(static_cast<double>(attention.sink_logits[head]));
      for (std::size_t key = 0; key <= ws->rows[row].position; ++key) {
        if (!sees(ws->rows[row].position, key)) continue;
        const float* const at = kv.data() + key * width() * 2 + kv_head * 16;
        double score = 0;
        for (std::size_t d = 0; d < 16; ++d) score += static_cast<double>(q[d]) * static_cast<double>(at[d]);
        const double slope = attention.slopes.empty() ? 0 : static_cast<double>(attention.slopes[head]);
        const double behind = static_cast<double>(ws->rows[row].position - key);
        score *= static_cast<double>(c.attention_scale);
        if (attention.query_scale.slope > 0) {
          const QueryScale& scale = attention.query_scale;
          const double periods =
              std::floor(static_cast<double>(ws->rows[row].position + scale.offset) / scale.period);
          score *= 1 + static_cast<double>(scale.slope) * std::log(1 + periods);
        }
        if (attention.softcap > 0) {
          const auto cap = static_cast<double>(attention.softcap);
          score = cap * std::tanh(score / cap);
        }
        const double weight = std::exp(score - slope * behind);
        sum += weight;
        for (std::size_t d = 0; d < 16; ++d) out[d] += weight * static_cast<double>(at[width() + d]);
      }
      for (std::size_t d = 0; d < 16; ++d) {
        const double off = std::abs(out[d] / sum - static_cast<double>(ws->mixed.row(row)[head * 16 + d]));
        worst = off <= worst ? worst : off;
      }
    }
    return worst;
  }

  /// Fills ws->mixed, and compares it with the definition.
  void check(int threads) {
    ws->next_unit = 0;
    Team team(threads);
    team.run(
        [&](const Worker& worker) { attend(worker, *ws, ws->attention_plans[0], attention, ws->mixed); });
    for (std::size_t r = 0; r < ws->rows.size(); ++r) REQUIRE(error(r) < 2e-5);
  }

  std::mt19937 random{3};
  std::shared_ptr<const Transformer> model;
  Attention attention;  // of layer 0; may be changed
  std::unique_ptr<KvPool> pool;
  std::unique_ptr<Workspace> ws;
  std::vector<std::unique_ptr<KvSequence>> sequences;
  std::vector<std::vector<float>> keys_values;  // of each sequence: [tokens][2][kv_heads][16]
  std::vector<std::size_t> of_row;              // its sequence
};

// Sanitizers see the same accesses with either.
const std::vector<int> kThreads = test::kSanitized ? std::vector{3} : std::vector{1, 3};

TEST_CASE("Attention is its definition in every head, and writes nothing behind the last one") {
  // Groups of more than kMaxQueryRows heads are divided; the last part is smaller.
  const Shape shapes[] = {
      {3, 1},          {4, 2},           {50, 1},         {100, 2},         {4, 2, 100, 0},
      {4, 1, 100, 64}, {2, 1, 700, 128}, {4, 2, 0, 0, 8}, {50, 1, 0, 0, 8}, {12, 4, 100, 64, 16}};
  const std::vector<std::pair<std::size_t, std::size_t>> steps[] = {
      {{1, 1}}, {{64, 64}, {65, 1}}, {{600, 70}, {513, 1}, {3, 3}}, {{1300, 1}}, {{1025, 1}, {1700, 1}}};
  for (const Shape& shape : shapes) {
    for (const auto& step : steps) {
      for (const int threads : kThreads) {
        Case c(shape, threads, step);
        CAPTURE(shape.heads, shape.kv_heads, shape.window, shape.sinks, step[0].first, threads,
                c.ws->attention_plans[0].spans);
        c.check(threads);
        const std::size_t rows = c.ws->rows.size();
        for (std::size_t r = rows; r < rows + kSpareRows; ++r) {
          for (std::size_t i = 0; i < c.ws->mixed.cols(); ++i) REQUIRE(c.ws->mixed.row(r)[i] == kCanary);
        }
      }
    }
  }
}

TEST_CASE("The slopes of ALiBi are those of its paper, for any number of heads") {
  CHECK(alibi_slopes(1, 8) == std::vector<float>{0x1p-8F});
  CHECK(alibi_slopes(4, 8) == std::vector<float>{0x1p-2F, 0x1p-4F, 0x1p-6F, 0x1p-8F});
  CHECK(alibi_slopes(6, 8) == std::vector<float>{0x1p-2F, 0x1p-4F, 0x1p-6F, 0x1p-8F, 0x1p-1F, 0x1p-3F});
  CHECK(alibi_slopes(2, 16) == std::vector<float>{0x1p-8F, 0x1p-16F});
}

TEST_CASE("Soft caps, learned sinks, chunks and a scale of queries are their definitions") {
  const std::vector<std::pair<std::size_t, std::size_t>> steps[] = {
      {{1, 1}}, {{600, 70}, {513, 1}, {3, 3}}, {{1300, 1}}, {{769, 3}}};
  for (const Shape& shape : {Shape{4, 2}, {4, 1, 700, 64}, {test::all_or(100U, 4U), 2}}) {
    for (const auto& step : steps) {
      for (const int threads : kThreads) {
        Case c(shape, threads, step);
        CAPTURE(shape.heads, shape.window, step[0].first, threads);
        for (const float cap : {0.0F, 1.5F}) {
          c.attention.softcap = cap;
          c.attention.chunk = 0;
          c.check(threads);
          c.attention.query_scale = {0.5F, 100, 1};
          c.check(threads);
          for (std::size_t head = 0; head < shape.heads; ++head)
            c.attention.sink_logits.push_back(static_cast<float>(head % 7) - 2);
          c.check(threads);
          c.attention.chunk = 256;
          c.check(threads);
          c.attention.sink_logits.clear();
          c.check(threads);
        }
      }
    }
  }
}

TEST_CASE("Deep single rows are split by spans among threads, all others are not") {
  const auto spans = [](const Shape& shape, int threads,
                        const std::vector<std::pair<std::size_t, std::size_t>>& step) {
    return Case(shape, threads, step).ws->attention_plans[0].spans;
  };
  CHECK(spans({3, 1}, 3, {{512, 1}}) == 1);
  CHECK(spans({3, 1}, 3, {{513, 1}}) == 2);
  CHECK(spans({3, 1}, 3, {{1025, 1}, {20, 1}}) == 3);
  CHECK(spans({3, 1}, 1, {{1025, 1}}) == 1);
  CHECK(spans({3, 1}, 3, {{1025, 2}}) == 1);
  CHECK(spans({3, 1, 100, 64}, 3, {{1700, 1}}) == 3);  // one of the sinks, and two that a window may touch
}

TEST_CASE("Rows of one sequence share a tile, up to its size") {
  const auto ranges = [](const Shape& shape, const std::vector<std::pair<std::size_t, std::size_t>>& step) {
    const Case c(shape, 1, step);
    std::vector<std::pair<std::size_t, std::size_t>> out;
    for (const QueryRange& range : c.ws->attention_plans[0].ranges) out.emplace_back(range.row, range.tokens);
    return out;
  };
  using Ranges = std::vector<std::pair<std::size_t, std::size_t>>;
  CHECK(ranges({3, 1}, {{40, 20}, {5, 1}}) == Ranges{{0, 16}, {16, 4}, {20, 1}});
  CHECK(ranges({50, 1}, {{40, 3}}) == Ranges{{0, 1}, {1, 1}, {2, 1}});
}

}  // namespace
}  // namespace partita::internal::testing
