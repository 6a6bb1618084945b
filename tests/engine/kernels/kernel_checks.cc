#include "tests/engine/kernels/kernel_checks.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "engine/kernels/dispatch.h"
#include "tests/block_scales.h"
#include "tests/catch.h"
#include "tests/packed.h"
#include "weights/codecs/codec.h"

namespace partita::internal::test {
namespace {

constexpr double kEps = std::numeric_limits<float>::epsilon();

constexpr Dtype kTypes[] = {Dtype::kF32,    Dtype::kF16,     Dtype::kBF16,  Dtype::kQ4_0,    Dtype::kQ4_1,
                            Dtype::kQ5_0,   Dtype::kQ5_1,    Dtype::kQ8_0,  Dtype::kQ4_K,    Dtype::kQ5_K,
                            Dtype::kQ6_K,   Dtype::kMXFP4,   Dtype::kQ2_K,  Dtype::kQ3_K,    Dtype::kIQ4_NL,
                            Dtype::kIQ4_XS, Dtype::kNVFP4,   Dtype::kIQ3_S, Dtype::kIQ3_XXS, Dtype::kIQ2_S,
                            Dtype::kIQ2_XS, Dtype::kIQ2_XXS, Dtype::kIQ1_S, Dtype::kIQ1_M,   Dtype::kTQ1_0,
                            Dtype::kTQ2_0,  Dtype::kQ1_0,    Dtype::kQ2_0};

std::vector<float> normals(std::size_t n, unsigned seed, float scale = 1) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> x(n);
  for (float& v : x) v = normal(rng);
  return x;
}

/// Random multiples of 1/256 between -4 and 4: the same on every machine, because no library function
/// computes them.
std::vector<float> fractions(std::size_t n, unsigned seed) {
  std::mt19937 rng(seed);
  std::vector<float> x(n);
  for (float& v : x) v = static_cast<float>(static_cast<int>(rng() % 2049) - 1024) / 256.0F;
  return x;
}

/// Random blocks of a type: quantized normal values if the codec can quantize, else random bytes with scales
/// to match.
std::vector<std::byte> random_blocks(Dtype type, std::size_t elements, unsigned seed) {
  std::vector<std::byte> blocks(elements / block_elements(type) * block_bytes(type));
  if (codec(type).quantize != nullptr) {
    const std::vector<float> values = normals(elements, seed, 0.1F);
    codec(type).quantize(values.data(), elements, blocks.data());
    return blocks;
  }
  std::mt19937 rng(seed);
  for (std::byte& b : blocks) b = static_cast<std::byte>(rng());
  for (std::size_t at = 0; at < blocks.size(); at += block_bytes(type))
    scale_block(type, 0.05F * static_cast<float>(1 + rng() % 4), &blocks[at]);
  return blocks;
}

OwnedMatrix random_matrix(Dtype type, std::size_t rows, std::size_t cols, unsigned seed) {
  return pack(type, rows, cols, random_blocks(type, rows * cols, seed));
}

/// Quantized activations with memory of their own.
struct Rows {
  Rows(const Kernels& kernels, std::size_t rows, std::size_t cols, const std::vector<float>& values)
      : buffer(rows, cols), view(buffer.view(rows, cols)) {
    std::copy(values.begin(), values.end(), buffer.values());
    if (cols % kGroupCols == 0) kernels.quantize(view, 0, rows);
  }
  Activations one(std::size_t r) const {
    Activations row = view.from(r);
    row.rows = 1;
    return row;
  }
  ActivationBuffer buffer;
  Activations view;
};

/// y = W x with `pad` further columns, all NaN before.
std::vector<float> product(const Kernels& kernels, const PackedMatrix& w, const Activations& x,
                           std::size_t pad = 3) {
  AlignedBytes scratch(matmul_scratch_bytes(w.cols));
  const std::size_t ld = w.rows + pad;
  std::vector<float> y(x.rows * ld, kNan);
  const std::size_t middle = w.panels() / 2;
  kernels.matmul(w, {middle, w.panels()}, x, y.data(), ld, scratch.data());
  kernels.matmul(w, {0, middle}, x, y.data(), ld, scratch.data());
  for (std::size_t r = 0; r < x.rows; ++r) {
    for (std::size_t c = w.rows; c < ld; ++c) {
      REQUIRE(std::isnan(y[r * ld + c]));
      y[r * ld + c] = 0;
    }
  }
  return y;
}

void check_matrix(const Kernels& fast, Dtype type, std::size_t rows, std::size_t cols, std::size_t batch) {
  CAPTURE(std::string(name(type)), rows, cols, batch);
  const Kernels& slow = kernels(Isa::kScalar);
  const OwnedMatrix w = random_matrix(type, rows, cols, static_cast<unsigned>(rows * 31 + cols));
  const Rows x(fast, batch, cols, normals(batch * cols, static_cast<unsigned>(batch)));
  const std::vector<float> expected = product(slow, w, x.view), got = product(fast, w, x.view);

  std::vector<float> line(cols);
  const std::size_t ld = rows + 3;
  std::size_t wrong = 0, moved = 0;
  for (std::size_t c = 0; c < rows; ++c) {
    unpack_row(w, c, line.data());
    for (std::size_t r = 0; r < batch; ++r) {
      double magnitude = 0;  // of the sum's terms; groups with minima have two of them
      for (std::size_t k = 0; k < cols; ++k) magnitude += std::abs(line[k] * x.view.values[r * cols + k]);
      if (type == Dtype::kQ2_K || type == Dtype::kQ4_K || type == Dtype::kQ5_K) magnitude *= 8;
      const double bound = 4 * kEps * (std::sqrt(static_cast<double>(cols)) + 4) * magnitude + 1e-30;
      if (!(std::abs(got[r * ld + c] - expected[r * ld + c]) <= bound)) ++wrong;
    }
  }
  for (std::size_t r = 0; r < batch; ++r) {
    const std::vector<float> alone = product(fast, w, x.one(r));
    if (std::memcmp(alone.data(), got.data() + r * ld, rows * sizeof(float)) != 0) ++moved;
  }
  CHECK(wrong == 0);
  CHECK(moved == 0);
}

void check_quantize(const Kernels& fast) {
  std::vector<float> data = normals(10 * 64, 5);
  data[3] = 1e30F;
  data[70] = kNan;
  data[140] = -kInf;
  for (std::size_t i = 192; i < 256; ++i) data[i] = 0;
  for (std::size_t i = 256; i < 320; ++i) data[i] = 1e-38F;
  const Rows a(kernels(Isa::kScalar), 10, 64, data), b(fast, 10, 64, data);
  for (std::size_t r = 0; r < 10; ++r) {
    CAPTURE(r);
    CHECK(
        (a.view.scale[r] == b.view.scale[r] || (std::isnan(a.view.scale[r]) && std::isnan(b.view.scale[r]))));
    if (std::isnan(a.view.scale[r])) continue;
    CHECK(std::memcmp(&a.view.sum[r * 2], &b.view.sum[r * 2], 2 * sizeof(float)) == 0);
    CHECK(std::memcmp(&a.view.q[r * 64], &b.view.q[r * 64], 64 * sizeof(std::int16_t)) == 0);
  }
  CHECK(std::isnan(b.view.scale[1]));  // the NaN
  CHECK(std::isnan(b.view.scale[2]));  // the infinity
}

void check_unpack(const Kernels& fast, Dtype type) {
  CAPTURE(std::string(name(type)));
  const OwnedMatrix w = random_matrix(type, 21, 512, 9);
  std::vector<float> line(512), panel(512 * 19, kNan);
  for (std::size_t p = 0; p < w.panels(); ++p) {
    fast.unpack(w, p, panel.data(), 19);
    for (std::size_t lane = 0; lane < kPanelRows && p * kPanelRows + lane < w.rows; ++lane) {
      unpack_row(w, p * kPanelRows + lane, line.data());
      std::size_t different = 0;
      for (std::size_t k = 0; k < 512; ++k) different += line[k] != panel[k * 19 + lane];
      CHECK(different == 0);
    }
  }
}

bool close(double got, double expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(got);
  return std::abs(got - expected) <= tolerance || got == expected;
}

/// Pages of one KV head, and queries that attend to a part of them.
struct AttentionCase {
  AttentionCase(KvType kv_type, HeadWidths head_widths, int query_rows, int keys, unsigned seed)
      : type(kv_type), widths(head_widths), rows(query_rows), n_keys(keys) {
    k = AlignedBytes(kv_key_bytes(type, widths.key));
    v = AlignedBytes(kv_value_bytes(type, widths.value));
    for (AlignedBytes* side : {&k, &v})
      std::memset(side->data(), 0xFF, side->size());  // NaN in unwritten slots
    q = normals(static_cast<std::size_t>(rows) * widths.key, seed, 0.3F);
    std::mt19937 rng(seed);
    for (int r = 0; r < rows; ++r) {
      const int end = 1 + static_cast<int>(rng() % static_cast<unsigned>(n_keys));
      last.push_back(r % 5 == 4 ? -1 : end);  // every fifth row attends to nothing
      first.push_back(r % 3 == 0 ? -1 : end - 1 - static_cast<int>(rng() % static_cast<unsigned>(end)));
    }
    keys_and_values = normals(static_cast<std::size_t>(n_keys) * (widths.key + widths.value), seed + 1);
  }
  /// ALiBi for all rows; the queries are up to 200 tokens behind the last key.
  void add_slopes() {
    for (int r = 0; r < rows; ++r) {
      slopes.push_back(r % 4 == 3 ? 0 : std::exp2(-static_cast<float>(r % 8)));
      positions.push_back(static_cast<float>(n_keys + r * 29 % 200));
    }
  }
  /// Rows [from, from + count).
  QueryTile tile(int from, int count) const {
    QueryTile tile{q.data() + static_cast<std::size_t>(from) * widths.key, count, widths, first.data() + from,
                   last.data() + from};
    if (slopes.empty()) return tile;
    tile.slope = slopes.data() + from;
    tile.at = positions.data() + from;
    return tile;
  }
  float* key_of(int t) {
    return keys_and_values.data() + static_cast<std::size_t>(t) * (widths.key + widths.value);
  }
  const float* key_of(int t) const { return const_cast<AttentionCase&>(*this).key_of(t); }
  void fill(const Kernels& kernels) {
    for (int t = 0; t < n_keys; ++t) {
      const float* at = key_of(t);
      kernels.append(type, at, at + widths.key, widths, t, k.data(), v.data());
    }
  }
  /// Two pages (the same twice) one after the other, from row `from` on. [rows][value width + 2]: out, max,
  /// sum.
  std::vector<float> run(const Kernels& kernels, int from, int count) const {
    std::vector<float> max(static_cast<std::size_t>(count), -kInf), sum(static_cast<std::size_t>(count), 0);
    std::vector<float> out(static_cast<std::size_t>(count) * widths.value, 0);
    const SoftmaxState state{max.data(), sum.data(), out.data()};
    QueryTile queries = tile(from, count);
    queries.cap = cap;
    kernels.attend(type, queries, {k.data(), v.data()}, n_keys, state);
    const std::vector<std::int32_t> none(static_cast<std::size_t>(count), 0);
    QueryTile hidden = queries;
    hidden.first = hidden.last = none.data();
    kernels.attend(type, hidden, {k.data(), v.data()}, n_keys, state);  // a hidden page changes nothing
    kernels.attend(type, queries, {k.data(), v.data()}, n_keys, state);
    std::vector<float> merged_max(max.size(), -kInf), merged_sum(sum.size(), 0), merged(out.size(), 0);
    const SoftmaxState whole{merged_max.data(), merged_sum.data(), merged.data()};
    kernels.merge(state, count, widths.value, whole);
    kernels.merge(state, count, widths.value, whole);
    kernels.finish(whole, count, widths.value);
    merged.insert(merged.end(), merged_max.begin(), merged_max.end());
    merged.insert(merged.end(), merged_sum.begin(), merged_sum.end());
    return merged;
  }
  /// The page twice, then finish(). As run(), but without merges.
  std::vector<float> continue_twice(const Kernels& kernels) const {
    const auto count = static_cast<std::size_t>(rows);
    std::vector<float> max(count, -kInf), sum(count), out(count * widths.value);
    const SoftmaxState state{max.data(), sum.data(), out.data()};
    const QueryTile tile{q.data(), rows, widths, first.data(), last.data()};
    for (int i = 0; i < 2; ++i) kernels.attend(type, tile, {k.data(), v.data()}, n_keys, state);
    kernels.finish(state, rows, widths.value);
    out.insert(out.end(), max.begin(), max.end());
    out.insert(out.end(), sum.begin(), sum.end());
    return out;
  }

  KvType type;
  HeadWidths widths;
  int rows, n_keys;
  AlignedBytes k, v;
  std::vector<float> q, keys_and_values;
  std::vector<std::int32_t> first, last;
  std::vector<float> slopes, positions;  // of ALiBi; empty: none
  float cap = 0;                         // of the scores
};

/// One page of latents, and the queries of an AttentionCase.
struct LatentCase {
  LatentCase(const AttentionCase& of, const Kernels& by) : plain(of), kernels(by), page(of.k.size()) {
    std::memset(page.data(), 0xFF, page.size());  // NaN in unwritten slots
    for (int t = 0; t < plain.n_keys; ++t)
      kernels.append_latent(plain.type, plain.key_of(t), plain.widths.key, t, page.data());
  }
  /// The page twice, for rows [from, from + count). [rows][value width + 2]: out, max, sum.
  std::vector<float> run(int from, int count) const {
    const auto rows = static_cast<std::size_t>(count), columns = latent_columns(rows);
    std::vector<float> q(plain.widths.key * columns), max(rows, -kInf), sum(rows);
    std::vector<float> out(rows * plain.widths.value);
    for (std::size_t r = 0; r < rows; ++r) {
      const float* row = plain.q.data() + (static_cast<std::size_t>(from) + r) * plain.widths.key;
      for (std::size_t d = 0; d < plain.widths.key; ++d) q[d * columns + r] = row[d];
    }
    const QueryTile tile{q.data(), count, plain.widths, plain.first.data() + from, plain.last.data() + from};
    const SoftmaxState state{max.data(), sum.data(), out.data()};
    for (int i = 0; i < 2; ++i)
      kernels.attend_latent(plain.type, tile, {page.data(), nullptr}, plain.n_keys, state);
    kernels.finish(state, count, plain.widths.value);
    out.insert(out.end(), max.begin(), max.end());
    out.insert(out.end(), sum.begin(), sum.end());
    return out;
  }

  const AttentionCase& plain;
  const Kernels& kernels;
  AlignedBytes page;
};

/// Latents against attend() of the definition over keys and their first columns as values.
void check_latent_case(const Kernels& fast, KvType type, HeadWidths widths, int rows, int keys) {
  CAPTURE(static_cast<int>(type), widths.key, widths.value, rows, keys);
  const Kernels& slow = kernels(Isa::kScalar);
  AttentionCase plain(type, widths, rows, keys, 11);
  for (int t = 0; t < keys; ++t) std::copy_n(plain.key_of(t), widths.value, plain.key_of(t) + widths.key);
  plain.fill(slow);
  const LatentCase by_fast(plain, fast), by_slow(plain, slow);
  CHECK(std::memcmp(by_fast.page.data(), by_slow.page.data(), by_fast.page.size()) == 0);

  const std::vector<float> expected = plain.continue_twice(slow), got = by_fast.run(0, rows);
  CHECK(by_slow.run(0, rows) == expected);
  std::size_t wrong = 0, moved = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    wrong += !close(got[i], expected[i], 2e-5 * std::max(1.0F, std::abs(expected[i])));
  for (int r = 0; r < rows; ++r) {
    const float* in_company = got.data() + static_cast<std::size_t>(r) * widths.value;
    moved += std::memcmp(by_fast.run(r, 1).data(), in_company, std::size_t{widths.value} * 4) != 0;
  }
  CHECK(wrong == 0);
  CHECK(moved == 0);
}

/// A latent that is not finite spoils the rows that attend to it, and no other.
void check_spoiled_latent(const Kernels& fast) {
  AttentionCase plain(KvType::kF16, {32, 16}, 3, 40, 5);
  plain.key_of(30)[3] = kNan;
  plain.first = {-1, -1, 31};
  plain.last = {30, 31, 40};
  const std::vector<float> got = LatentCase(plain, fast).run(0, 3);
  for (int d = 0; d < 16; ++d) {
    CHECK(std::isfinite(got[static_cast<std::size_t>(d)]));
    CHECK(std::isnan(got[static_cast<std::size_t>(16 + d)]));
    CHECK(std::isfinite(got[static_cast<std::size_t>(32 + d)]));
  }
}

void check_attention_case(const Kernels& fast, KvType type, HeadWidths widths, int rows, int keys, bool alibi,
                          float cap = 0) {
  CAPTURE(static_cast<int>(type), widths.key, widths.value, rows, keys, alibi, cap);
  AttentionCase by_fast(type, widths, rows, keys, 7), by_slow(type, widths, rows, keys, 7);
  for (AttentionCase* each : {&by_fast, &by_slow}) {
    if (alibi) each->add_slopes();
    each->cap = cap;
  }
  by_fast.fill(fast);
  by_slow.fill(kernels(Isa::kScalar));
  CHECK(std::memcmp(by_fast.k.data(), by_slow.k.data(), by_fast.k.size()) == 0);
  CHECK(std::memcmp(by_fast.v.data(), by_slow.v.data(), by_fast.v.size()) == 0);

  const std::vector<float> expected = by_slow.run(kernels(Isa::kScalar), 0, rows),
                           got = by_fast.run(fast, 0, rows);
  std::size_t wrong = 0, moved = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    wrong += !close(got[i], expected[i], 2e-5 * std::max(1.0F, std::abs(expected[i])));
  }
  for (int r = 0; r < rows; ++r) {
    const std::vector<float> alone = by_fast.run(fast, r, 1);
    const float* in_company = got.data() + static_cast<std::size_t>(r) * widths.value;
    moved += std::memcmp(alone.data(), in_company, std::size_t{widths.value} * 4) != 0;
  }
  CHECK(wrong == 0);
  CHECK(moved == 0);
}

/// 8-bit values, read back by the layout of kernels.h: near, exact at halves, NaN as a whole.
void check_bytes(const Kernels& fast) {
  constexpr int kDim = 80;
  constexpr KvType kType = KvType::kF16I8;
  std::vector<float> tokens = normals(kPageTokens * kDim, 17);
  const auto token = [&](int t) { return tokens.data() + t * kDim; };
  std::fill_n(token(1), kDim, 0.0F);
  for (int d = 0; d < kDim; ++d) {
    token(2)[d] *= 1e-33F;  // counts as zero
    token(3)[d] *= 1e30F;
    token(4)[d] = d == 5 ? -127.0F : static_cast<float>(d - 40) + 0.5F;  // halfway between two bytes
  }
  token(5)[79] = kNan;
  token(6)[0] = -kInf;
  const std::vector<float> key(kDim, 1.0F);
  const auto filled = [&](const Kernels& kernels, AlignedBytes& v) {
    AlignedBytes k(kv_key_bytes(kType, kDim));
    for (int i = 0; i < kPageTokens; ++i) {
      const int t = i * 37 % kPageTokens;  // in any order
      kernels.append(kType, key.data(), token(t), {kDim, kDim}, t, k.data(), v.data());
    }
  };
  AlignedBytes v(kv_value_bytes(kType, kDim)), slow(v.size());
  filled(fast, v);
  filled(kernels(Isa::kScalar), slow);
  CHECK(std::memcmp(v.data(), slow.data(), v.size()) == 0);
  std::size_t wrong = 0;
  for (int t = 0; t < kPageTokens; ++t) {
    float scale = 0;
    std::memcpy(&scale, v.data() + t * 4, 4);
    const bool finite = t != 5 && t != 6;
    wrong += std::isnan(scale) == finite;
    double most = 0;
    for (int d = 0; d < kDim; ++d) most = std::max(most, static_cast<double>(std::abs(token(t)[d])));
    for (int d = 0; finite && d < kDim; ++d) {
      const auto element =
          static_cast<std::int8_t>(v.data()[kv_scale_bytes(kType) + static_cast<std::size_t>(t * kDim + d)]);
      wrong += !close(scale * static_cast<float>(element), token(t)[d], 0.5001 / 127 * most + 1e-30);
    }
  }
  CHECK(wrong == 0);
}

void check_exponentials(const Kernels& fast) {
  std::vector<float> x = {0, -1, -20, -80, -87.3F, -100, -kInf, 0, 1, 20, 80};
  for (float v : normals(1500, 3, 30)) x.push_back(std::min(v, 80.0F));
  for (const std::size_t n : {std::size_t{1}, std::size_t{15}, std::size_t{17}, x.size()}) {
    std::vector<float> y(n, kNan);
    const double sum = fast.exp_sum(x.data(), n, 0.5F, 1.0F, y.data());
    double expected_sum = 0;
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double expected = std::exp(static_cast<double>(x[i]) - 0.5);
      expected_sum += expected;
      wrong += !close(y[i], expected, 1.5e-7 * expected + 3e-38);
    }
    CHECK(wrong == 0);
    CHECK(close(sum, expected_sum, 1e-6 * expected_sum));
    CHECK(close(fast.exp_sum(x.data(), n, 0.5F, 1.0F, nullptr), sum, 0));
    std::vector<float> portable(n, kNan);
    CHECK(kernels(Isa::kScalar).exp_sum(x.data(), n, 0.5F, 1.0F, portable.data()) == sum);
    CHECK(portable == y);
  }
  const float bad[] = {1, kNan, 2};
  CHECK(std::isnan(fast.exp_sum(bad, 3, 0, 1, nullptr)));
}

void check_max(const Kernels& fast) {
  for (const std::size_t n : {std::size_t{1}, std::size_t{16}, std::size_t{33}, std::size_t{1000}}) {
    std::vector<float> x = normals(n, static_cast<unsigned>(n));
    CHECK(fast.max(x.data(), n) == *std::max_element(x.begin(), x.end()));
    x[n / 2] = kNan;
    CHECK(std::isnan(fast.max(x.data(), n)));
    x.assign(n, -kInf);
    CHECK(fast.max(x.data(), n) == -kInf);
  }
}

}  // namespace

void check_products(const Kernels& fast) {
  check_quantize(fast);
  for (const Dtype type : kTypes) {
    check_unpack(fast, type);
    const std::size_t block = block_elements(type);
    const std::size_t cols = block == 256 ? 512 : block == 1 ? 37 : 3 * block;
    for (const std::size_t rows : {1, 16, 37}) {
      for (const std::size_t batch : {1, 2, 3, 4, 5, 7, 8, 13, 27})
        check_matrix(fast, type, rows, cols, batch);
    }
    if (block > 1) check_matrix(fast, type, 20, 1024, 9);  // rows of activations have a larger stride
  }
}

void check_screen(const Kernels& fast) {
  std::mt19937 rng(5);
  for (const std::size_t cols : {kScreenWide, std::size_t{608}, kMaxScreenCols}) {
    ScreenPanels w;
    w.rows = 75;
    w.cols = cols;
    AlignedBytes storage(w.bytes());
    for (std::size_t i = 0; i < storage.size(); ++i) storage.data()[i] = static_cast<std::byte>(rng());
    std::fill_n(storage.data(), w.quant_bytes(),
                std::byte{0xFF});  // gives the largest sums with the first two queries
    for (std::size_t p = 0; p < w.panels(); ++p) {
      std::vector<float> tail = fractions(2 * kPanelRows, static_cast<unsigned>(p));
      for (std::size_t lane = 0; lane < kPanelRows; ++lane) {
        const bool there = p * kPanelRows + lane < w.rows;
        tail[lane] = there ? std::abs(tail[lane]) : 0;
        if (!there) tail[kPanelRows + lane] = kNoScreenRow;
      }
      std::memcpy(storage.data() + p * w.panel_bytes() + w.quant_bytes(), tail.data(),
                  ScreenPanels::kTailBytes);
    }
    w.storage = storage.data();
    constexpr std::size_t kRows = 7;
    const std::vector<float> numbers = fractions(4 * kRows, 77);
    std::vector<float> wide_scale, narrow_scale, error_bound, slack;
    for (std::size_t r = 0; r < kRows; ++r) {
      wide_scale.push_back(std::abs(numbers[r]) * 0x1p-20F);
      narrow_scale.push_back(std::abs(numbers[kRows - 1 - r]) * 0x1p-12F);
      error_bound.push_back(std::abs(numbers[kRows + r]));
      slack.push_back(std::abs(numbers[2 * kRows + r]) * 0x1p-10F);
    }
    std::vector<std::int16_t> wide(kRows * kScreenWide);
    for (std::int16_t& v : wide) v = static_cast<std::int16_t>(rng());
    std::fill_n(wide.begin(), kScreenWide, std::int16_t{32767});
    const std::size_t narrow_cols = cols - kScreenWide;
    std::vector<std::int8_t> narrow(kRows * narrow_cols);
    for (std::int8_t& v : narrow) v = static_cast<std::int8_t>(static_cast<int>(rng() % 255) - 127);
    std::fill_n(narrow.begin(), narrow_cols, std::int8_t{-127});
    std::fill_n(narrow.begin() + static_cast<std::ptrdiff_t>(narrow_cols), narrow_cols, std::int8_t{127});
    for (std::size_t rows = 1; rows <= kRows; ++rows) {
      const ScreenQuery x{rows,
                          cols,
                          wide.data(),
                          narrow.data(),
                          wide_scale.data(),
                          narrow_scale.data(),
                          numbers.data() + 3 * kRows,
                          error_bound.data(),
                          slack.data()};
      const std::size_t ld = w.panels() * kPanelRows;
      std::vector<float> upper(rows * ld), expected(rows * ld), lower(rows, -kInf), most(rows, -kInf);
      kernels(Isa::kScalar).screen(w, 0, w.panels(), x, expected.data(), ld, most.data());
      fast.screen(w, 0, 2, x, upper.data(), ld, lower.data());
      fast.screen(w, 2, w.panels(), x, upper.data(), ld, lower.data());
      CAPTURE(cols, rows);
      REQUIRE(upper == expected);
      REQUIRE(lower == most);
    }
  }
}

void check_change_basis(const Kernels& fast) {
  for (const std::size_t n : {1, 6, 64, 577}) {
    constexpr std::size_t kLd = 96, kFirst = 8;
    const std::vector<float> x = normals(n, 1, 3), mean = normals(n, 2), columns = normals(n * kLd, 3);
    for (const std::size_t count : {1, 8, 24, 88}) {
      CAPTURE(n, count);
      std::vector<double> got(count, 1), expected(count, 2);
      fast.change_basis(x.data(), mean.data(), n, columns.data() + kFirst, kLd, count, got.data());
      kernels(Isa::kScalar)
          .change_basis(x.data(), mean.data(), n, columns.data() + kFirst, kLd, count, expected.data());
      REQUIRE(got == expected);
    }
  }
}

/// Recurrences of several tokens, so that a wrong state shows too.
void check_scan(const Kernels& fast) {
  const Kernels& slow = kernels(Isa::kScalar);
  for (const std::size_t n : {1, 3, 8, 16, 129}) {
    for (const std::size_t step : {std::size_t{0}, kScanChannels}) {
      CAPTURE(n, step);
      std::vector<float> state = normals(n * kScanChannels, 1), expected_state = state;
      for (unsigned token = 0; token < 3; ++token) {
        std::vector<float> decay = normals(step == 0 ? kScanChannels : n * kScanChannels, 4 * token + 2);
        for (float& d : decay) d = std::exp(-std::abs(d));
        const std::vector<float> input = normals(kScanChannels, 4 * token + 3);
        const std::vector<float> b = normals(n, 4 * token + 4), c = normals(n, 4 * token + 5);
        std::vector<float> y(kScanChannels, kNan), expected = y;
        fast.scan(decay.data(), step, input.data(), b.data(), c.data(), n, state.data(), y.data());
        slow.scan(decay.data(), step, input.data(), b.data(), c.data(), n, expected_state.data(),
                  expected.data());
        const double bound = 1e-6 * static_cast<double>(n + 3);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < kScanChannels; ++i) wrong += !close(y[i], expected[i], bound);
        for (std::size_t i = 0; i < state.size(); ++i)
          wrong += !close(state[i], expected_state[i], 1e-6 * (1 + std::abs(expected_state[i])));
        CHECK(wrong == 0);
      }
    }
  }
}

/// The relative error stays small where values are small: GELU far below 0, xIELU, whose terms may cancel,
/// around 0. exp(-x^2 / 2) has the rounding error of its exponent.
void check_tails(const Kernels& fast) {
  constexpr std::size_t kCount = 2 * 13 * 256;
  std::vector<float> x(kCount), got(kCount), expected(kCount);
  const std::vector<float> ones(kCount, 1);
  for (std::size_t i = 0; i < kCount; ++i) x[i] = static_cast<float>(i) / 256 - 13 + 0x1p-12F;
  for (const GateFunction f : {GateFunction::kGelu, GateFunction::kXielu}) {
    fast.gate(f, x.data(), ones.data(), kCount, got.data());
    kernels(Isa::kScalar).gate(f, x.data(), ones.data(), kCount, expected.data());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < kCount; ++i) {
      const double bound = 1e-6 + 0x1p-24 * static_cast<double>(x[i]) * static_cast<double>(x[i]);
      const float scale =
          f == GateFunction::kXielu ? std::max(std::abs(x[i]), std::abs(expected[i])) : expected[i];
      wrong += !close(got[i], expected[i], bound * std::abs(static_cast<double>(scale)));
    }
    CHECK(wrong == 0);
  }
}

void check_elementwise(const Kernels& fast) {
  const Kernels& slow = kernels(Isa::kScalar);
  for (const std::size_t n : {1, 7, 16, 31, 48, 577}) {
    CAPTURE(n);
    const std::vector<float> x = normals(n, 1, 3), w = normals(n, 2);
    const auto compare = [&](const std::vector<float>& got, const std::vector<float>& expected,
                             double bound) {
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < got.size(); ++i)
        wrong += !close(got[i], expected[i], bound * (1 + std::abs(expected[i])));
      CHECK(wrong == 0);
    };
    std::vector<float> a(n, kNan), b(n, kNan);
    fast.rms_norm(x.data(), w.data(), n, 1e-5F, a.data());
    slow.rms_norm(x.data(), w.data(), n, 1e-5F, b.data());
    compare(a, b, 1e-6);
    for (const float* bias : {static_cast<const float*>(nullptr), x.data()}) {
      fast.layer_norm(x.data(), w.data(), bias, n, 1e-5F, a.data());
      slow.layer_norm(x.data(), w.data(), bias, n, 1e-5F, b.data());
      compare(a, b, 2e-6);
    }
    for (const GateFunction f : kGateFunctions) {
      fast.gate(f, x.data(), w.data(), n, a.data());
      slow.gate(f, x.data(), w.data(), n, b.data());
      compare(a, b, 1e-6);
    }
    fast.softplus(x.data(), n, a.data());
    slow.softplus(x.data(), n, b.data());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < n; ++i) wrong += !close(a[i], b[i], 3e-7 * std::abs(b[i]));
    CHECK(wrong == 0);
    a = x;
    fast.soft_cap(2, n, a.data());
    for (std::size_t i = 0; i < n; ++i) b[i] = static_cast<float>(2 * std::tanh(x[i] / 2.0));
    compare(a, b, 1e-6);
    a = b = x;
    fast.add(w.data(), n, a.data());
    slow.add(w.data(), n, b.data());
    CHECK(a == b);
    std::vector<float> turned = normals(2 * n, 4), expected = turned;
    const std::vector<float> cos = normals(n, 5), sin = normals(n, 6);
    fast.rope(turned.data(), cos.data(), sin.data(), n);
    slow.rope(expected.data(), cos.data(), sin.data(), n);
    compare(turned, expected, 1e-6);
  }
  const float extreme[] = {-1000, -100, 100, 1000, 0, kNan};
  const float ones[] = {1, 1, 1, 1, 1, 1};
  for (const GateFunction f : kGateFunctions) {
    if (f == GateFunction::kClampedSilu) continue;
    float out[6], expected[6];
    fast.gate(f, extreme, ones, 6, out);
    slow.gate(f, extreme, ones, 6, expected);
    for (int i = 0; i < 5; ++i)
      CHECK(std::abs(out[i] - expected[i]) <= 1e-6F * std::abs(expected[i]) + 1e-30F);
    CHECK(std::isnan(out[5]));
  }
  const float gates[] = {-1000, 8, 2, 2, 0, kNan, 1}, ups[] = {1, 1, 9, -9, 1, 1, kNan};
  float clamped[7];
  fast.gate(GateFunction::kClampedSilu, gates, ups, 7, clamped);
  const auto expected = [](double g, double u) { return g / (1 + std::exp(-1.702 * g)) * (u + 1); };
  CHECK(clamped[0] == 0);
  CHECK(close(clamped[1], expected(7, 1), 1e-5));
  CHECK(close(clamped[2], expected(2, 7), 1e-5));
  CHECK(close(clamped[3], expected(2, -7), 1e-5));
  CHECK(clamped[4] == 0);
  CHECK(std::isnan(clamped[5]));
  CHECK(std::isnan(clamped[6]));
  float soft[6];
  fast.softplus(extreme, 6, soft);
  CHECK(std::abs(soft[0]) < 1e-37F);
  CHECK(std::abs(soft[1]) < 1e-30F);
  CHECK(soft[2] == 100);
  CHECK(soft[3] == 1000);
  CHECK(close(soft[4], std::log(2.0F), 1e-7));
  CHECK(std::isnan(soft[5]));
  check_tails(fast);
  float capped[] = {-kInf, -1000, 0, 1000, kInf, kNan};
  fast.soft_cap(30, 6, capped);
  CHECK(std::vector(capped, capped + 5) == std::vector<float>{-30, -30, 0, 30, 30});
  CHECK(std::isnan(capped[5]));
  check_max(fast);
  check_exponentials(fast);
  check_scan(fast);
}

void check_attention(const Kernels& fast) {
  check_bytes(fast);
  for (const KvType type : kKvTypes) {
    for (const HeadWidths widths :
         {HeadWidths{16, 16}, {64, 64}, {80, 80}, {512, 512}, {96, 64}, {16, 144}}) {
      for (const int rows : {1, 3, 7, 48}) {
        for (const int keys : {1, 17, 64}) {
          check_attention_case(fast, type, widths, rows, keys, false);
          check_attention_case(fast, type, widths, rows, keys, true);
        }
      }
      check_attention_case(fast, type, widths, 7, 33, false, 1.5F);
    }
  }
  for (const KvType type : {KvType::kF16, KvType::kF32}) {
    for (const HeadWidths widths : {HeadWidths{32, 16}, {576, 512}}) {
      for (const int rows : {1, 7, 16, 48}) {
        for (const int keys : {1, 17, 64}) check_latent_case(fast, type, widths, rows, keys);
      }
    }
  }
  check_spoiled_latent(fast);
}

void check_recorded_bits(const Kernels& fast) {
  std::uint64_t digest = 0xCBF29CE484222325U;  // FNV-1a
  const auto take = [&](const auto& values) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
    for (std::size_t i = 0; i < values.size() * sizeof values[0]; ++i)
      digest = (digest ^ bytes[i]) * 0x100000001B3U;
  };
  for (const Dtype type : kTypes) {
    std::vector<std::byte> blocks(37 * 512 / block_elements(type) * block_bytes(type));
    const bool rounds = block_elements(type) <= 32 && type != Dtype::kIQ4_NL;  // which searches for a scale
    if (rounds && codec(type).quantize != nullptr) {
      codec(type).quantize(fractions(37 * 512, 1).data(), 37 * 512, blocks.data());
    } else {  // of integers alone
      std::mt19937 rng(1);
      for (std::byte& b : blocks) b = static_cast<std::byte>(rng());
      for (std::size_t at = 0; at < blocks.size(); at += block_bytes(type))
        set_scale(type, 0x1p-8F, 0x1p-7F, &blocks[at]);
    }
    const OwnedMatrix w = pack(type, 37, 512, blocks);
    const Rows x(fast, 9, 512, fractions(9 * 512, 2));
    take(std::vector(x.view.q, x.view.q + 9 * quant_stride(512)));
    take(std::vector(x.view.scale, x.view.scale + 9));
    take(product(fast, w, x.view));
    take(product(fast, w, x.one(4)));
  }
  for (const KvType type : kKvTypes) {
    AttentionCase attention(type, {80, 80}, 9, 50, 3);
    attention.q = fractions(9 * 80, 4);
    attention.keys_and_values = fractions(2 * 50 * 80, 5);
    attention.fill(fast);
    take(attention.run(fast, 0, 9));
  }
  const std::vector<float> x = fractions(77, 6), weight = fractions(77, 7);
  std::vector<float> y(77);
  fast.rms_norm(x.data(), weight.data(), 77, 1e-5F, y.data());
  take(y);
  for (const GateFunction f : {GateFunction::kSilu, GateFunction::kGeluTanh}) {
    fast.gate(f, x.data(), weight.data(), 77, y.data());
    take(y);
  }
  take(std::vector{fast.exp_sum(x.data(), 77, 0.25F, 1.5F, y.data())});
  take(y);
  CHECK(digest == 0xC83D70C361CC7162U);
}

void check_same_bits(const Kernels& a, const Kernels& b) {
  for (const Dtype type : kTypes) {
    const OwnedMatrix w = random_matrix(type, 37, 512, 3);
    const Rows by_a(a, 9, 512, normals(9 * 512, 4)), by_b(b, 9, 512, normals(9 * 512, 4));
    CHECK(product(a, w, by_a.view) == product(b, w, by_b.view));
  }
  for (const KvType type : kKvTypes) {
    AttentionCase by_a(type, {64, 64}, 9, 50, 3);
    by_a.fill(a);
    CHECK(by_a.run(a, 0, 9) == by_a.run(b, 0, 9));
  }
}

}  // namespace partita::internal::test
