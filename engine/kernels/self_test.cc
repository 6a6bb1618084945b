#include "engine/kernels/self_test.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "engine/kernels/tile_products.h"
#include "weights/codecs/codec.h"

namespace partita::internal {
namespace {

/// Random multiples of 1/256 in [-4, 4), and random bits; the same on every machine.
class Numbers {
 public:
  std::uint32_t bits() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::uint32_t>(state_ >> 33U);
  }
  float fraction() { return static_cast<float>(static_cast<int>(bits() % 2048) - 1024) / kSteps; }
  std::vector<float> fractions(std::size_t n) {
    std::vector<float> x(n);
    std::generate(x.begin(), x.end(), [&] { return fraction(); });
    return x;
  }
  static constexpr float kSteps = 256, kMax = 4;

 private:
  std::uint64_t state_ = 1;
};

/// The bits of f16 scales between 2^-7 and 2^-4; their bytes are valid 8-bit scales too.
constexpr std::uint32_t kMinScale = 0x2000, kScales = 0x0C00;
constexpr float kMaxScale = 0x1p-4F;

/// A random matrix with memory of its own.
struct TestMatrix {
  PanelArena arena;
  PackedMatrix panels;
  float largest = Numbers::kMax;  // no weight is larger

  TestMatrix(Dtype type, std::size_t rows, std::size_t cols, Numbers& numbers) {
    Result<PackedMatrix> made = allocate_panels(type, rows, cols, arena);
    if (!made) throw std::bad_alloc();
    panels = *made;
    for (std::size_t p = 0; p < panels.panels(); ++p) {
      std::byte* at = panels.storage + p * panels.panel_bytes();
      panels.quantized() ? fill_quants(at, numbers) : fill_floats(at, numbers);
    }
    if (!panels.quantized()) return;
    const ScaleKind kind = panels.layout.scale;
    const bool super =
        kind == ScaleKind::kSuper || kind == ScaleKind::kSuperU4 || kind == ScaleKind::kSuperI8;
    const int levels = panels.layout.codebook != nullptr ? 128 : 1 << panels.layout.bits;
    largest = kMaxScale * static_cast<float>(levels) * (super ? 256.0F : 1.0F);
  }

 private:
  void fill_quants(std::byte* at, Numbers& numbers) const {
    for (std::size_t i = 0; i < panels.quant_bytes; ++i) at[i] = static_cast<std::byte>(numbers.bits());
    const bool e8m0 = panels.layout.scale == ScaleKind::kE8M0;  // 2^-11 to 2^-4
    if (e8m0 || panels.layout.scale == ScaleKind::kUE4M3) {     // 2^-6 to 2^-4
      const unsigned first = e8m0 ? 117 : 16, count = e8m0 ? 8 : 16;
      std::byte* const scales = at + panels.quant_bytes;
      for (std::size_t i = 0; i < panels.scale_bytes; ++i)
        scales[i] = std::byte(first + numbers.bits() % count);
      return;
    }
    for (std::size_t i = 0; i < panels.scale_bytes; i += 2) {
      const auto scale = static_cast<std::uint16_t>(kMinScale + numbers.bits() % kScales);
      std::memcpy(at + panels.quant_bytes + i, &scale, 2);
    }
  }
  void fill_floats(std::byte* at, Numbers& numbers) const {
    for (std::size_t i = 0; i < panels.cols * kPanelRows; ++i) {
      const float value = numbers.fraction();
      if (panels.dtype == Dtype::kF32) {
        std::memcpy(at + i * sizeof value, &value, sizeof value);
      } else {
        const std::uint16_t half = panels.dtype == Dtype::kF16 ? f32_to_f16(value) : f32_to_bf16(value);
        std::memcpy(at + i * sizeof half, &half, sizeof half);
      }
    }
  }
};

bool near(float got, float expected, float tolerance) { return std::abs(got - expected) <= tolerance; }

/// Whether all values differ by at most `relative` times max(1, |expected|). False for NaN.
bool all_near(const std::vector<float>& got, const std::vector<float>& expected, float relative) {
  return std::equal(got.begin(), got.end(), expected.begin(), expected.end(),
                    [&](float g, float e) { return near(g, e, relative * std::max(1.0F, std::abs(e))); });
}

/// kManyRows fills the largest tile of every table with rows left over; for kFewRows a panel is read in its
/// packed form.
constexpr std::size_t kManyRows = 15, kFewRows = 5;
/// A full panel and a partial one; a quantization block of every type.
constexpr std::size_t kOutputs = 21, kCols = 256;

/// Rows of activations, optionally quantized by a table.
struct TestRows {
  ActivationBuffer buffer{kManyRows, kCols};
  Activations view;

  TestRows(const Kernels& table, const std::vector<float>& values, bool quantized) {
    if (!buffer.ok()) throw std::bad_alloc();
    std::copy(values.begin(), values.end(), buffer.values());
    view = buffer.view(kManyRows, kCols);
    if (quantized) table.quantize(view, 0, kManyRows);
  }
  std::vector<float> times(const Kernels& table, const PackedMatrix& w, std::size_t rows,
                           AlignedBytes& scratch) const {
    Activations x = view;
    x.rows = rows;
    std::vector<float> y(rows * kOutputs, std::numeric_limits<float>::quiet_NaN());
    table.matmul(w, {0, w.panels()}, x, y.data(), kOutputs, scratch.data());
    return y;
  }
};

bool same_quants(const Activations& a, const Activations& b) {
  constexpr std::size_t kStride = quant_stride(kCols), kGroups = kCols / kGroupCols;
  for (std::size_t r = 0; r < kManyRows; ++r) {
    if (!std::equal(a.q + r * kStride, a.q + r * kStride + kCols, b.q + r * kStride)) return false;
  }
  return std::equal(a.scale, a.scale + kManyRows, b.scale) &&
         std::equal(a.sum, a.sum + kManyRows * kGroups, b.sum);
}

bool same_unpacked(const Kernels& table, const PackedMatrix& w) {
  std::vector<float> got(kCols * kPanelRows), expected(kCols * kPanelRows);
  table.unpack(w, 0, got.data(), kPanelRows);
  kernels(Isa::kScalar).unpack(w, 0, expected.data(), kPanelRows);
  return got == expected;
}

/// Tests the products of a type. `tiles`: also the unpacking for tile products.
std::string differing_product(const Kernels& table, Dtype type, bool tiles) {
  const Kernels& definition = kernels(Isa::kScalar);
  Numbers numbers;
  const TestMatrix w(type, kOutputs, kCols, numbers);
  const std::vector<float> values = numbers.fractions(kManyRows * kCols);
  const bool quantized = w.panels.quantized();
  const TestRows x(table, values, quantized), defined(definition, values, quantized);
  if (quantized && !same_quants(x.view, defined.view)) return "quantize";

  AlignedBytes scratch(matmul_scratch_bytes(kCols));
  if (scratch.data() == nullptr) throw std::bad_alloc();
  // Sums of kCols terms with different roundings. A single wrong term differs by about a thousand times as
  // much.
  const float bound = 4 * static_cast<float>(kCols) * 0x1p-24F * w.largest * Numbers::kMax;
  const std::vector<float> expected = defined.times(definition, w.panels, kManyRows, scratch);
  for (const std::size_t rows : {kManyRows, kFewRows, std::size_t{1}}) {
    const std::vector<float> got = x.times(table, w.panels, rows, scratch);
    if (!std::equal(got.begin(), got.end(), expected.begin(),
                    [&](float g, float e) { return near(g, e, bound); })) {
      return "matmul of " + std::string(name(type));
    }
  }
  return tiles && !same_unpacked(table, w.panels) ? "unpack of " + std::string(name(type)) : "";
}

/// Keys and values of a page, and queries that attend to a part of them.
class TestAttention {
 public:
  TestAttention(KvType type, HeadWidths widths) : type_(type), widths_(widths) {
    Numbers numbers;
    keys_and_values_ = numbers.fractions(kKeys * (widths_.key + widths_.value));
    queries_ = numbers.fractions(kQueries * widths_.key);
    for (float& q : queries_) q /= std::sqrt(static_cast<float>(widths_.key)) * Numbers::kMax;
  }

  struct Page {
    AlignedBytes k, v;
  };
  Page fill(const Kernels& table) const {
    Page page{AlignedBytes(kv_key_bytes(type_, widths_.key)),
              AlignedBytes(kv_value_bytes(type_, widths_.value))};
    if (page.k.data() == nullptr || page.v.data() == nullptr) throw std::bad_alloc();
    for (int t = 0; t < kKeys; ++t) {
      const float* at = keys_and_values_.data() + static_cast<std::size_t>(t) * (widths_.key + widths_.value);
      table.append(type_, at, at + widths_.key, widths_, t, page.k.data(), page.v.data());
    }
    return page;
  }

  /// Attends to the page twice, then merges the result with itself. [kQueries][widths.value], then sums.
  std::vector<float> run(const Kernels& table, const Page& page) const {
    const std::int32_t first[kQueries] = {-1, 2, 5}, last[kQueries] = {kKeys, kKeys - 1, 9};
    State part(widths_.value), whole(widths_.value);
    const QueryTile tile{queries_.data(), kQueries, widths_, first, last};
    const float slope[kQueries] = {0.01F, 0.25F, 0}, at[kQueries] = {kKeys + 200, kKeys, 8};
    QueryTile sloped = tile, capped = tile;
    sloped.slope = slope;
    sloped.at = at;
    capped.cap = 2;
    for (const QueryTile& each : {tile, sloped, capped})
      table.attend(type_, each, {page.k.data(), page.v.data()}, kKeys, part.view());
    for (int i = 0; i < 2; ++i) table.merge(part.view(), kQueries, widths_.value, whole.view());
    table.finish(whole.view(), kQueries, widths_.value);
    std::vector<float> out = std::move(whole.out);
    out.insert(out.end(), whole.sum.begin(), whole.sum.end());
    return out;
  }

 private:
  static constexpr int kQueries = 3, kKeys = 18;  // a tile of keys and a partial one

  struct State {
    explicit State(std::size_t width) : out(kQueries * width) {}
    SoftmaxState view() { return {max.data(), sum.data(), out.data()}; }
    std::vector<float> max = std::vector<float>(kQueries, -std::numeric_limits<float>::infinity());
    std::vector<float> sum = std::vector<float>(kQueries);
    std::vector<float> out;
  };

  KvType type_;
  HeadWidths widths_;
  std::vector<float> keys_and_values_, queries_;
};

std::string differing_attention(const Kernels& table, KvType cache, HeadWidths widths) {
  const Kernels& definition = kernels(Isa::kScalar);
  const TestAttention attention(cache, widths);
  const TestAttention::Page got = attention.fill(table), expected = attention.fill(definition);
  if (std::memcmp(got.k.data(), expected.k.data(), got.k.size()) != 0 ||
      std::memcmp(got.v.data(), expected.v.data(), got.v.size()) != 0) {
    return "append";
  }
  constexpr float kRounding = 2e-5F;  // of float sums and of exponentials
  const bool agrees =
      all_near(attention.run(table, expected), attention.run(definition, expected), kRounding);
  return agrees ? "" : "attend";
}

/// Latents against the definition, which the tests compare with attention over keys and values.
std::string differing_latents(const Kernels& table, KvType cache, HeadWidths widths) {
  constexpr int kQueries = 3, kKeys = 18;
  const Kernels& definition = kernels(Isa::kScalar);
  Numbers numbers;
  const std::vector<float> latents = numbers.fractions(kKeys * widths.key);
  std::vector<float> queries = numbers.fractions(latent_columns(kQueries) * widths.key);
  for (float& q : queries) q /= std::sqrt(static_cast<float>(widths.key)) * Numbers::kMax;
  const auto fill = [&](const Kernels& by) {
    AlignedBytes page(kv_key_bytes(cache, widths.key));
    if (page.data() == nullptr) throw std::bad_alloc();
    for (int t = 0; t < kKeys; ++t)
      by.append_latent(cache, latents.data() + static_cast<std::size_t>(t) * widths.key, widths.key, t,
                       page.data());
    return page;
  };
  const AlignedBytes got = fill(table), expected = fill(definition);
  if (std::memcmp(got.data(), expected.data(), got.size()) != 0) return "append_latent";
  const auto run = [&](const Kernels& by) {
    const std::int32_t first[kQueries] = {-1, 2, 5}, last[kQueries] = {kKeys, kKeys - 1, 9};
    std::vector<float> max(kQueries, -std::numeric_limits<float>::infinity()), sum(kQueries);
    std::vector<float> out(kQueries * widths.value);
    const QueryTile tile{queries.data(), kQueries, widths, first, last};
    for (int i = 0; i < 2; ++i)
      by.attend_latent(cache, tile, {expected.data()}, kKeys, {max.data(), sum.data(), out.data()});
    out.insert(out.end(), sum.begin(), sum.end());
    return out;
  };
  return all_near(run(table), run(definition), 2e-5F * kKeys) ? "" : "attend_latent";
}

/// Tests the elementwise kernels on 2 vectors of 16 and a rest.
std::string differing_elementwise(const Kernels& table, const Gate& gate) {
  constexpr std::size_t kSize = 43;
  constexpr float kRounding = 2e-6F;
  const Kernels& definition = kernels(Isa::kScalar);
  Numbers numbers;
  std::vector<float> x = numbers.fractions(kSize);
  x.back() = Numbers::kMax;  // the largest
  const std::vector<float> w = numbers.fractions(kSize), rows = numbers.fractions(kSize * kSize);
  const auto by = [&](const Kernels& k, auto&& kernel) {
    std::vector<float> y = x;
    kernel(k, y);
    return y;
  };
  const auto differs = [&](float tolerance, auto&& kernel) {
    return !all_near(by(table, kernel), by(definition, kernel), tolerance);
  };
  if (differs(kRounding, [&](const Kernels& k, std::vector<float>& y) {
        k.rms_norm(x.data(), w.data(), kSize, 1e-5F, y.data());
      })) {
    return "rms_norm";
  }
  for (const float* bias : {static_cast<const float*>(nullptr), rows.data()}) {
    if (differs(kRounding * Numbers::kMax, [&](const Kernels& k, std::vector<float>& y) {
          k.layer_norm(x.data(), w.data(), bias, kSize, 1e-5F, y.data());
        })) {
      return "layer_norm";
    }
  }
  if (differs(0, [&](const Kernels& k, std::vector<float>& y) { k.add(w.data(), kSize, y.data()); }))
    return "add";
  if (differs(kRounding, [&](const Kernels& k, std::vector<float>& y) {
        k.gate(gate, x.data(), w.data(), kSize, y.data());
      })) {
    return "gate";
  }
  std::vector<float> rates = w;
  for (float& rate : rates) rate = -std::abs(rate);
  constexpr float kExponents = 8;  // the rounding of an exponent grows with it
  if (differs(kRounding * kExponents, [&](const Kernels& k, std::vector<float>& y) {
        k.decay(x.data(), w.data(), rates.data(), kSize, y.data());
      })) {
    return "decay";
  }
  if (differs(kRounding,
              [&](const Kernels& k, std::vector<float>& y) { k.softplus(x.data(), kSize, y.data()); })) {
    return "softplus";
  }
  for (const std::size_t step : {std::size_t{0}, kScanChannels}) {
    const auto scan = [&](const Kernels& k, std::vector<float>& y) {
      y.assign(rows.begin(), rows.begin() + (kSize + 1) * kScanChannels);  // the state, then the output
      k.scan(rows.data(), step, x.data(), w.data(), x.data(), kSize, y.data(),
             y.data() + kSize * kScanChannels);
    };
    // Sums of kSize products of three numbers.
    if (differs(kRounding * kSize * Numbers::kMax, scan)) return "scan";
  }
  constexpr float kCap = 2;
  if (differs(kRounding * kCap,
              [&](const Kernels& k, std::vector<float>& y) { k.soft_cap(kCap, kSize, y.data()); }))
    return "soft_cap";
  if (differs(kRounding * Numbers::kMax, [&](const Kernels& k, std::vector<float>& y) {
        k.rope(y.data(), w.data(), rows.data(), kSize / 2);
      })) {
    return "rope";
  }
  if (table.max(x.data(), kSize) != definition.max(x.data(), kSize)) return "max";
  const auto exponentials = [&](const Kernels& k, std::vector<float>& y) {
    y.push_back(static_cast<float>(k.exp_sum(x.data(), kSize, 0.25F, 1.5, y.data())));
  };
  if (differs(0, exponentials)) return "exp_sum";
  const auto changed = [&](const Kernels& k, std::vector<float>& y) {
    std::vector<double> sums(kSize);
    k.change_basis(x.data(), w.data(), kSize, rows.data(), kSize, kSize, sums.data());
    std::transform(sums.begin(), sums.end(), y.begin(), [](double s) { return static_cast<float>(s); });
  };
  return differs(0, changed) ? "change_basis" : "";
}

/// Tests the delta rule on a few tokens: two panels of columns and a rest.
std::string differing_recurrence(const Kernels& table) {
  constexpr std::size_t kTokens = 3, kKeys = 24, kValues = 40;
  Numbers numbers;
  std::vector<float> rows = numbers.fractions(kTokens * (3 * kKeys + kValues + 1));
  for (float& value : rows) value = std::abs(value) / (4 * Numbers::kMax);  // keys shorter than 1
  const float *k = rows.data() + kTokens * kKeys, *decay = k + kTokens * kKeys, *v = decay + kTokens * kKeys,
              *beta = v + kTokens * kValues;
  const DeltaTokens tokens{kTokens,        kKeys, kValues,  {rows.data(), kKeys}, {k, kKeys}, {v, kValues},
                           {decay, kKeys}, true,  {beta, 1}};
  const auto by = [&](const Kernels& kernels) {
    std::vector<float> state(DeltaTokens::state_size(kKeys, kValues)), y(kTokens * kValues);
    kernels.delta_rule(tokens, state.data(), y.data(), kValues);
    y.insert(y.end(), state.begin(), state.end());
    return y;
  };
  return all_near(by(table), by(kernels(Isa::kScalar)), 1e-6F) ? "" : "delta_rule";
}

float to_bf16(float value) { return bf16_to_f32(f32_to_bf16(value)); }

/// Multiplies a few rows by one panel and compares with sums in double of the same rounded factors. Throws
/// std::bad_alloc.
bool tiles_agree(TileProducts& tiles, std::size_t cols) {
  constexpr std::size_t kRows = 3;
  Numbers numbers;
  TestMatrix w(Dtype::kF32, kPanelRows, cols, numbers);
  auto* weights = reinterpret_cast<float*>(w.panels.storage);  // [cols][16]
  std::vector<float> x = numbers.fractions(kRows * cols);
  for (float& v : x) v += 0x1p-9F;  // so that bf16 rounds
  std::vector<float> y(kRows * kPanelRows, std::numeric_limits<float>::quiet_NaN());
  tiles.convert_rows(x.data(), kRows, cols, 0, kRows);
  if (!tiles.multiply(0, w.panels, 0, 1, kRows, y.data(), kPanelRows)) {
    if (tiles.failure().code == ErrorCode::kOutOfMemory) throw std::bad_alloc();
    return false;
  }
  for (std::size_t i = 0; i < cols * kPanelRows; ++i) weights[i] = to_bf16(weights[i]);
  for (std::size_t r = 0; r < kRows; ++r) {
    double sum[kPanelRows] = {}, magnitude[kPanelRows] = {};
    for (std::size_t k = 0; k < cols; ++k) {
      const double factor = static_cast<double>(to_bf16(x[r * cols + k]));
      for (std::size_t lane = 0; lane < kPanelRows; ++lane) {
        const double term = factor * static_cast<double>(weights[k * kPanelRows + lane]);
        sum[lane] += term;
        magnitude[lane] += std::abs(term);
      }
    }
    // The bound of float sums in any order.
    const double rounding = static_cast<double>(cols) * 0x1p-24;
    for (std::size_t lane = 0; lane < kPanelRows; ++lane) {
      if (!(std::abs(y[r * kPanelRows + lane] - sum[lane]) <= rounding * magnitude[lane])) return false;
    }
  }
  return true;
}

/// The table to use instead of one that differs.
std::optional<Isa> next_below(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return std::nullopt;
    case Isa::kAmxEmulated:
    case Isa::kAmx:
      return Isa::kVnni;
    case Isa::kAvx2:
    case Isa::kNeon:
      return Isa::kScalar;
    default:
      return static_cast<Isa>(static_cast<int>(isa) - 1);
  }
}

std::string what_differs(Isa isa, const KernelUse& use, const KernelSource& source) {
  if (isa == Isa::kScalar) return "";
  const Kernels& table = source.table(isa);
  KernelUse own = use;
  if (!uses_tiles(isa)) own.cols.clear();
  std::string differs = differing_kernel(table, own);
  if (differs.empty() && !own.cols.empty()) differs = source.differing_tiles(table, own.cols);
  return differs;
}

}  // namespace

std::string differing_kernel(const Kernels& table, const KernelUse& use) {
  for (const Dtype type : use.types) {
    if (std::string differs = differing_product(table, type, !use.cols.empty()); !differs.empty())
      return differs;
  }
  std::string differs = differing_elementwise(table, use.gate);
  if (differs.empty()) differs = differing_recurrence(table);
  for (const HeadWidths widths : use.heads) {
    if (differs.empty()) differs = differing_attention(table, use.cache, widths);
  }
  for (const HeadWidths widths : use.latents) {
    if (differs.empty()) differs = differing_latents(table, use.cache, widths);
  }
  return differs;
}

std::string differing_tiles(const Kernels& table, std::span<const std::size_t> cols) {
  auto tiles = TileProducts::create(TileType::kBF16, cols, 1, 1, table);
  if (!tiles && tiles.error().code == ErrorCode::kOutOfMemory) throw std::bad_alloc();
  if (!tiles) return tiles.error().message;
  for (const std::size_t width : cols) {
    if (!tiles_agree(**tiles, width)) return "bf16 products of " + std::to_string(width) + " columns";
  }
  return "";
}

Result<TestedKernels> test_kernels(Isa first, bool forced, const KernelUse& use, const KernelSource& source) {
  TestedKernels tested;
  for (std::optional<Isa> isa = first; isa; isa = next_below(*isa)) {
    const std::string differs = what_differs(*isa, use, source);
    tested.isa = *isa;
    if (differs.empty()) break;
    if (forced) {
      return Error{ErrorCode::kUnsupported, "the kernels of " + std::string(name(*isa)) +
                                                " were asked for, but they do not compute here what the "
                                                "definition does: " +
                                                differs};
    }
    tested.refused += (tested.refused.empty() ? "" : ", ") + std::string(name(*isa)) + " (" + differs + ")";
  }
  tested.table = &source.table(tested.isa);
  return tested;
}

}  // namespace partita::internal
