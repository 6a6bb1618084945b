// Multi-head latent attention, which the engine computes in its absorbed form, compared with the expanded
// form in double; and matrices of keys that older files have untransposed.
#include "engine/layers/mla.h"

#include <cmath>
#include <map>
#include <random>

#include "engine/layers/attention.h"
#include "tests/catch.h"
#include "tests/engine/tiny_models.h"
#include "weights/codecs/codec.h"

namespace partita::internal::testing {
namespace {

constexpr std::uint32_t kHidden = 64;

struct Sizes {
  std::uint32_t heads, rank, rotated, key, value, query_rank;
  Dtype type = Dtype::kF32;
};

std::vector<float> normals(std::size_t n, unsigned seed, float size) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& x : values) x = size * normal(random);
  return values;
}

/// A model of one layer. fused: with attn_kv_b.
GgufWriter file_of(const Sizes& s, bool fused) {
  GgufWriter file;
  file.add("general.architecture", "deepseek2")
      .add("deepseek2.block_count", 1U)
      .add("deepseek2.context_length", 2048U)
      .add("deepseek2.embedding_length", kHidden)
      .add("deepseek2.feed_forward_length", 32U)
      .add("deepseek2.attention.head_count", s.heads)
      .add("deepseek2.attention.head_count_kv", 1U)
      .add("deepseek2.attention.layer_norm_rms_epsilon", 1e-6F)
      .add("deepseek2.attention.key_length", s.rank + s.rotated)
      .add("deepseek2.attention.value_length", s.rank)
      .add("deepseek2.attention.key_length_mla", s.key)
      .add("deepseek2.attention.value_length_mla", s.value)
      .add("deepseek2.attention.kv_lora_rank", s.rank)
      .add("deepseek2.attention.q_lora_rank", s.query_rank)
      .add("deepseek2.rope.dimension_count", s.rotated);
  unsigned seed = 1;
  const auto matrix = [&](const std::string& name, std::uint64_t rows, std::uint64_t cols, Dtype type) {
    const float size = 1 / std::sqrt(static_cast<float>(cols));
    file.add_tensor(name, type, {rows, cols}, std::span<const float>(normals(rows * cols, ++seed, size)));
  };
  const auto norm = [&](const std::string& name, std::uint64_t size) {
    std::vector<float> weights = normals(size, ++seed, 0.2F);
    for (float& w : weights) w += 1;
    file.add_tensor(name, Dtype::kF32, {size}, std::span<const float>(weights));
  };
  matrix("token_embd.weight", 32, kHidden, Dtype::kF32);
  norm("output_norm.weight", kHidden);
  norm("blk.0.attn_norm.weight", kHidden);
  norm("blk.0.ffn_norm.weight", kHidden);
  norm("blk.0.attn_kv_a_norm.weight", s.rank);
  matrix("blk.0.attn_kv_a_mqa.weight", s.rank + s.rotated, kHidden, s.type);
  if (s.query_rank > 0) {
    norm("blk.0.attn_q_a_norm.weight", s.query_rank);
    matrix("blk.0.attn_q_a.weight", s.query_rank, kHidden, s.type);
    matrix("blk.0.attn_q_b.weight", std::uint64_t{s.heads} * s.key, s.query_rank, s.type);
  } else {
    matrix("blk.0.attn_q.weight", std::uint64_t{s.heads} * s.key, kHidden, s.type);
  }
  matrix("blk.0.attn_output.weight", kHidden, std::uint64_t{s.heads} * s.value, Dtype::kF32);
  matrix("blk.0.ffn_gate.weight", 32, kHidden, Dtype::kF32);
  matrix("blk.0.ffn_up.weight", 32, kHidden, Dtype::kF32);
  matrix("blk.0.ffn_down.weight", kHidden, 32, Dtype::kF32);

  const std::size_t plain = s.key - s.rotated, rows = s.heads * (plain + s.value);
  const std::vector<float> kv = normals(rows * s.rank, 99, 1 / std::sqrt(static_cast<float>(s.rank)));
  if (fused) {
    file.add_tensor("blk.0.attn_kv_b.weight", s.type, {rows, s.rank}, std::span<const float>(kv));
    return file;
  }
  std::vector<float> k, v;
  for (std::size_t h = 0; h < s.heads; ++h) {
    const float* of = kv.data() + h * (plain + s.value) * s.rank;
    for (std::size_t l = 0; l < s.rank; ++l) {
      for (std::size_t n = 0; n < plain; ++n) k.push_back(of[n * s.rank + l]);
    }
    v.insert(v.end(), of + plain * s.rank, of + (plain + s.value) * s.rank);
  }
  file.add_tensor("blk.0.attn_k_b.weight", s.type, {s.heads, s.rank, plain}, std::span<const float>(k));
  file.add_tensor("blk.0.attn_v_b.weight", s.type, {s.heads, s.value, s.rank}, std::span<const float>(v));
  return file;
}

using Row = std::vector<double>;

/// The matrix in double.
class Matrix {
 public:
  explicit Matrix(const Linear& linear) : cols_(linear.weight.cols), values_(linear.weight.rows * cols_) {
    for (std::size_t r = 0; r < linear.weight.rows; ++r)
      unpack_row(linear.weight, r, values_.data() + r * cols_);
  }
  double at(std::size_t r, std::size_t c) const { return values_[r * cols_ + c]; }
  Row times(const Row& x) const {
    Row y(values_.size() / cols_);
    for (std::size_t i = 0; i < values_.size(); ++i)
      y[i / cols_] += static_cast<double>(values_[i]) * x[i % cols_];
    return y;
  }

 private:
  std::size_t cols_;
  std::vector<float> values_;
};

Row normed(const Norm& norm, Row x, std::size_t size) {
  double squares = 0;
  for (std::size_t i = 0; i < size; ++i) squares += x[i] * x[i];
  const double factor = 1 / std::sqrt(squares / static_cast<double>(size) + static_cast<double>(norm.eps));
  for (std::size_t i = 0; i < size; ++i) x[i] *= factor * static_cast<double>(norm.weight[i]);
  return x;
}

/// Rotates the last `size` numbers, halves apart.
void rotate_last(const Rope& rope, std::size_t position, double* first, std::size_t size) {
  for (std::size_t i = 0; i < size / 2; ++i) {
    const double angle = static_cast<double>(static_cast<float>(position) * rope.inverse_frequency[i]);
    const double a = first[i], b = first[i + size / 2];
    first[i] = a * std::cos(angle) - b * std::sin(angle);
    first[i + size / 2] = b * std::cos(angle) + a * std::sin(angle);
  }
}

/// The expanded form: keys and values of every head.
class Expanded {
 public:
  Expanded(const Transformer& model, const std::vector<float>& rows)
      : a_(std::get<Mla>(model.layers()[0].mixer)),
        rope_(model.config().rope[0]),
        pre_(model.layers()[0].pre),
        rows_(rows) {
    const Matrix k(a_.k);
    for (std::size_t t = 0; t < rows.size() / kHidden; ++t) {
      latents_.push_back(normed(a_.k_norm, k.times(input(t)), a_.widths.value));
      rotate_last(rope_, t, latents_.back().data() + a_.widths.value, a_.rotated());
    }
    for (std::size_t h = 0; h < a_.heads; ++h) expand(Matrix(a_.k_b[h]), Matrix(a_.v_b[h]));
  }

  /// [heads][value width]
  Row mixed(std::size_t position) const {
    Row q = input(position), out;
    if (a_.low_rank()) q = normed(a_.q_norm, Matrix(a_.q_a).times(q), a_.q_a.weight.rows);
    q = Matrix(a_.q).times(q);
    for (std::size_t h = 0; h < a_.heads; ++h) {
      double* const query = q.data() + h * a_.head.key;
      rotate_last(rope_, position, query + a_.head.key - a_.rotated(), a_.rotated());
      const Row one = attended(query, h, position);
      out.insert(out.end(), one.begin(), one.end());
    }
    return out;
  }

 private:
  Row input(std::size_t t) const {
    const auto begin = rows_.begin() + static_cast<std::ptrdiff_t>(t * kHidden);
    return normed(pre_, Row(begin, begin + kHidden), kHidden);
  }
  void expand(const Matrix& k, const Matrix& v) {
    const std::size_t plain = a_.head.key - a_.rotated();
    std::vector<Row> keys, values;
    for (const Row& latent : latents_) {
      Row key(plain), content(latent.begin(), latent.begin() + a_.widths.value);
      for (std::size_t n = 0; n < plain; ++n) {
        for (std::size_t l = 0; l < content.size(); ++l) key[n] += k.at(l, n) * content[l];
      }
      key.insert(key.end(), latent.begin() + a_.widths.value, latent.end());
      keys.push_back(std::move(key));
      values.push_back(v.times(content));
    }
    keys_.push_back(std::move(keys));
    values_.push_back(std::move(values));
  }
  Row attended(const double* query, std::size_t h, std::size_t position) const {
    Row out(a_.head.value);
    double sum = 0;
    for (std::size_t t = 0; t <= position; ++t) {
      double score = 0;
      for (std::size_t i = 0; i < a_.head.key; ++i) score += query[i] * keys_[h][t][i];
      const double weight = std::exp(score * static_cast<double>(a_.scale));
      sum += weight;
      for (std::size_t i = 0; i < out.size(); ++i) out[i] += weight * values_[h][t][i];
    }
    for (double& x : out) x /= sum;
    return out;
  }

  const Mla& a_;
  const Rope& rope_;
  const Norm& pre_;
  const std::vector<float>& rows_;
  std::vector<Row> latents_;
  std::vector<std::vector<Row>> keys_, values_;  // [heads][tokens]
};

/// ws.mixed of some positions after steps of these sizes.
std::map<std::size_t, std::vector<float>> mixed_rows(const Transformer& model, const std::vector<float>& rows,
                                                     const std::vector<std::size_t>& steps, int threads,
                                                     const std::vector<std::size_t>& wanted) {
  const Mla& a = std::get<Mla>(model.layers()[0].mixer);
  KvPool pool(model.states(), model.kv_type(), 0);
  KvSequence sequence(pool);
  Workspace ws(model, threads, *std::max_element(steps.begin(), steps.end()));
  REQUIRE(ws.ok());
  std::map<std::size_t, std::vector<float>> found;
  for (const std::size_t count : steps) {
    REQUIRE(sequence.reserve(count).ok());
    const std::size_t first = sequence.length();
    std::vector<std::size_t> all;
    ws.rows.clear();
    for (std::size_t r = 0; r < count; ++r) {
      ws.rows.push_back({&sequence, first + r});
      all.push_back(r);
      std::copy_n(rows.data() + (first + r) * kHidden, kHidden, ws.x.row(r));
      for (std::size_t i = 0; i < a.rotated() / 2; ++i) {
        const float angle = static_cast<float>(first + r) * model.config().rope[0].inverse_frequency[i];
        ws.cos[0].row(r)[i] = std::cos(angle);
        ws.sin[0].row(r)[i] = std::sin(angle);
      }
    }
    plan_attention(ws, all, ws.attention_plans[0]);
    Team team(threads);
    team.run([&](const Worker& worker) { mix(worker, ws, model.layers()[0].pre, a, false); });
    sequence.advance(count);
    const std::size_t width = std::size_t{a.heads} * a.head.value;
    for (const std::size_t position : wanted) {
      if (position < first || position >= first + count) continue;
      const float* row = ws.mixed.row(position - first, width);
      found[position].assign(row, row + width);
    }
  }
  return found;
}

TEST_CASE("Latent attention is its expanded form, at any depth and for any number of heads") {
  const std::size_t length = 1100;
  const std::vector<std::size_t> steps = {500, 70, length - 571, 1},
                                 wanted = {0, 63, 511, 512, 569, 570, length - 1};
  const Sizes cases[] = {{3, 32, 8, 40, 24, 0},
                         {56, 24, 4, 12, 8, 12},  // more heads than a tile has rows; widths that are padded
                         {4, 64, 16, 48, 32, 32, Dtype::kQ8_0}};
  for (const Sizes& sizes : cases) {
    const TinyFile file(file_of(sizes, false));
    const auto model = load(file.gguf(), {.cache = KvType::kF32});
    // A token takes the bytes of its latent and the rotated part, padded to whole vectors.
    CHECK(bytes_per_token(model->states(), KvType::kF16) == (sizes.rank + sizes.rotated + 15) / 16 * 16 * 2);
    const std::vector<float> rows = normals(length * kHidden, 5, 1);
    const Expanded expanded(*model, rows);
    const auto alone = mixed_rows(*model, rows, steps, 1, wanted);
    CHECK(alone == mixed_rows(*model, rows, steps, 3, wanted));
    for (const std::size_t position : wanted) {
      CAPTURE(sizes.heads, position);
      const Row expected = expanded.mixed(position);
      const std::vector<float>& got = alone.at(position);
      REQUIRE(got.size() == expected.size());
      double worst = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        const double off = std::abs(static_cast<double>(got[i]) - expected[i]);
        worst = off <= worst ? worst : off;
      }
      // Quantized products round activations to 15 bits.
      CHECK(worst < (sizes.type == Dtype::kF32 ? 2e-5 : 1e-3));
    }
  }
}

TEST_CASE("A file with attn_kv_b has the matrices of one with attn_k_b and attn_v_b") {
  for (const Dtype type : {Dtype::kF32, Dtype::kF16, Dtype::kQ8_0}) {
    const Sizes sizes{3, 64, 8, 40, 24, 0, type};
    const TinyFile fused(file_of(sizes, true)), split(file_of(sizes, false));
    const auto from_fused = load(fused.gguf(), {}), from_split = load(split.gguf(), {});
    const Mla &a = std::get<Mla>(from_fused->layers()[0].mixer),
              &b = std::get<Mla>(from_split->layers()[0].mixer);
    CHECK(a.k_b[0].weight.dtype == (type == Dtype::kQ8_0 ? Dtype::kF32 : type));
    for (std::size_t h = 0; h < 3; ++h) {
      CAPTURE(std::string(name(type)), h);
      const Matrix k(a.k_b[h]), expected(b.k_b[h]), v(a.v_b[h]), expected_v(b.v_b[h]);
      double worst = 0, worst_v = 0;
      for (std::size_t l = 0; l < 64; ++l) {
        for (std::size_t n = 0; n < 32; ++n)
          worst = std::max(worst, std::abs(k.at(l, n) - expected.at(l, n)));
        for (std::size_t n = 0; n < 24; ++n)
          worst_v = std::max(worst_v, std::abs(v.at(n, l) - expected_v.at(n, l)));
      }
      CHECK(worst_v == 0);
      CHECK(worst <= (type == Dtype::kQ8_0 ? 4e-3 : 0));  // blocks run along rows, which are others
    }
  }
}

TEST_CASE("Sizes of latents that cannot be are refused") {
  const auto refused = [](const Sizes& sizes) {
    const auto model = Transformer::load(TinyFile(file_of(sizes, true)).gguf(), {});
    REQUIRE_FALSE(model.ok());
    CHECK(model.error().code == ErrorCode::kUnsupported);
    return model.error().message;
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(refused({2, 32, 16, 16, 8, 0}),
             Contains("rope.dimension_count is 16, and the query of a head has 16 columns"));
  CHECK_THAT(
      refused({1000, 512, 2, 4, 8, 0}),
      Contains("attention.kv_lora_rank is 512, and for each of 1000 heads, the limit for all is 262144"));
}

TEST_CASE("Latent attention whose queries are scaled by position is refused") {
  GgufWriter file = file_of({2, 32, 8, 16, 16, 0}, true);
  CHECK(Transformer::load(TinyFile(file).gguf(), {}).ok());
  file.add("deepseek2.attention.temperature_scale", 0.1F);
  const auto model = Transformer::load(TinyFile(file).gguf(), {});
  REQUIRE_FALSE(model.ok());
  CHECK(model.error().code == ErrorCode::kUnsupported);
  CHECK_THAT(model.error().message, Catch::Matchers::Contains("attention.temperature_scale is not 0"));
}

}  // namespace
}  // namespace partita::internal::testing
