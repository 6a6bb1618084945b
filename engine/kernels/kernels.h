// The compute kernels: a table of functions per instruction set (runtime dispatch). scalar.cc is the
// definition (reference implementation).
//
// Conventions: row-major float matrices, leading dimension in elements; pointers come from AlignedBytes if a
// comment says aligned; n is any size unless stated otherwise. No function allocates, locks or throws.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/activations.h"
#include "engine/kernels/isa.h"
#include "engine/kernels/panels.h"
#include "engine/kernels/screen.h"

namespace partita::internal {

/// Largest width of a head: that of the supported families; attention keeps one head on its stack.
inline constexpr std::uint32_t kMaxHeadDim = 576;

/// The widths of a head of keys (and queries) and of a head of values, at most kMaxHeadDim. Those that
/// kernels get are multiples of 16.
struct HeadWidths {
  std::uint32_t key = 0, value = 0;
  bool operator==(const HeadWidths&) const = default;
  /// The next multiples of 16.
  HeadWidths padded() const { return {(key + 15) / 16 * 16, (value + 15) / 16 * 16}; }
};

/// Keys per page of the KV cache; also the chunk of the online softmax.
inline constexpr int kPageTokens = 64;

/// The types of the KV cache. kF16I8: keys in f16; values as integers in [-127, 127] times a scale for each
/// token and KV head, max |v| / 127 over that value. A NaN scale marks a value with NaN or inf.
enum class KvType : std::uint8_t { kF16, kF32, kF16I8 };
inline constexpr KvType kKvTypes[] = {KvType::kF16, KvType::kF32, KvType::kF16I8};

/// The type of an element of a key or value; the enumerator is its size in bytes.
enum class KvElement : std::size_t { kI8 = 1, kF16 = 2, kF32 = 4 };
constexpr std::size_t bytes_of(KvElement element) { return static_cast<std::size_t>(element); }
constexpr KvElement kv_keys(KvType type) { return type == KvType::kF32 ? KvElement::kF32 : KvElement::kF16; }
constexpr KvElement kv_values(KvType type) { return type == KvType::kF16I8 ? KvElement::kI8 : kv_keys(type); }

/// Bytes of one KV head in one page: of K, of the scales before V's elements, of all of V.
constexpr std::size_t kv_key_bytes(KvType type, std::size_t width) {
  return kPageTokens * width * bytes_of(kv_keys(type));
}
constexpr std::size_t kv_scale_bytes(KvType type) {
  return kv_values(type) == KvElement::kI8 ? kPageTokens * sizeof(float) : 0;
}
constexpr std::size_t kv_value_bytes(KvType type, std::size_t width) {
  return kv_scale_bytes(type) + kPageTokens * width * bytes_of(kv_values(type));
}

/// One page of one KV head. K: [4 tiles of 16 tokens][key width][16]; V: scales [64 tokens] in float if the
/// type has them, then [64 tokens][value width]. Latents, of which values are columns, are in k: [64
/// tokens][key width] of kv_keys(type), as many bytes as K. next_k, next_v: the page that is processed next,
/// to be prefetched, or null.
struct KvPage {
  const std::byte* k = nullptr;
  const std::byte* v = nullptr;
  const std::byte* next_k = nullptr;
  const std::byte* next_v = nullptr;
};

/// The running state of online softmax for a tile of query rows, base 2. `max` starts at -inf, the rest at 0.
struct SoftmaxState {
  float* max = nullptr;  // [rows]
  float* sum = nullptr;  // [rows]
  float* out = nullptr;  // [rows][value width], not yet divided by sum
};

/// A tile of query rows that attend to keys of the same KV head.
struct QueryTile {
  const float* q = nullptr;  // [rows][widths.key], scaled by Attention::scale * log2(e)
  int rows = 0;              // at most kMaxQueryRows
  HeadWidths widths;
  const std::int32_t* first =
      nullptr;  // [rows]: first key that the row attends to, relative to the page (may be < 0)
  const std::int32_t* last = nullptr;  // [rows]: one past the last key, relative to the page
  /// ALiBi: the scores of row r with key j of the page get slope[r] * (j - at[r]) more; slope: times log2(e).
  const float* slope = nullptr;  // [rows], or null: none
  const float* at = nullptr;     // [rows]: the position of the query, relative to the page
  float cap = 0;                 // > 0: scores s become cap * tanh(s / cap), both times log2(e), as q is
};
inline constexpr int kMaxQueryRows = 48;

/// Channels of a state-space recurrence that are computed together.
inline constexpr std::size_t kScanChannels = 16;

/// Queries of a tile that attend to latents are columns: [widths.key][latent_columns(rows)].
constexpr std::size_t latent_columns(std::size_t rows) { return (rows + 15) / 16 * 16; }

/// kGelu: x Phi(x), by the error function. kGeluTanh: its approximation by tanh.
enum class GateFunction : std::uint8_t {
  kSilu,
  kGelu,
  kGeluTanh,
  kReluSquared,
  kSigmoid,
  kXielu,
  kClampedSilu
};
inline constexpr GateFunction kGateFunctions[] = {
    GateFunction::kSilu,    GateFunction::kGelu,  GateFunction::kGeluTanh,   GateFunction::kReluSquared,
    GateFunction::kSigmoid, GateFunction::kXielu, GateFunction::kClampedSilu};
/// kClampedSilu (gpt-oss): g sigmoid(1.702 g) (u + 1), the gate g at most 7, u the other factor in [-7, 7].
inline constexpr float kClampedSlope = 1.702F, kClampedLimit = 7;

/// The parameters of xIELU (Huang and Schlag 2024): linear x + positive x^2 above 0, and
/// linear x + negative (e^x - 1 - x) below.
struct Xielu {
  float positive = 1, negative = 1, linear = 0.5F;
};

/// A function with its parameters.
struct Gate {
  constexpr Gate(GateFunction f = GateFunction::kSilu) : function(f) {}
  GateFunction function;
  Xielu xielu;  // of kXielu
};

/// Rows of floats, `stride` elements apart.
struct FloatRows {
  const float* first = nullptr;
  std::size_t stride = 0;
  const float* operator[](std::size_t i) const { return first + i * stride; }
};

/// Consecutive tokens of one head of linear attention with a matrix state S [keys][values].
struct DeltaTokens {
  std::size_t count = 0;
  std::size_t keys = 0, values = 0;  // at most kMaxHeadDim
  FloatRows q, k, v;                 // [count][keys], [count][keys], [count][values]
  FloatRows decay;                   // [count][keys], or [count][1]: one for all keys
  bool decay_of_key = false;         // whether each key has its own
  FloatRows beta;                    // [count][1]

  DeltaTokens part(std::size_t at, std::size_t tokens) const {
    DeltaTokens some = *this;
    some.count = tokens;
    for (FloatRows* rows : {&some.q, &some.k, &some.v, &some.decay, &some.beta})
      rows->first += at * rows->stride;
    return some;
  }

  /// Elements of S as delta_rule() keeps it: [values in panels of 16][keys][16], zeros past `values`.
  static constexpr std::size_t state_size(std::size_t keys, std::size_t values) {
    return (values + 15) / 16 * 16 * keys;
  }
};

struct Kernels {
  Isa isa;

  /// Quantizes out.values: fills q, scale, sum of rows [first, last).
  void (*quantize)(const Activations& out, std::size_t first, std::size_t last);

  /// y[r][16 p + i] = W[16 p + i] . x[r] for p in panels, r in [0, x.rows); columns past w.rows are not
  /// written. y: [rows][ld]; `y` points at column 0 of the matrix, not of the first panel. scratch:
  /// matmul_scratch_bytes(w.cols) bytes, aligned, one per thread.
  void (*matmul)(const PackedMatrix& w, PanelRange panels, const Activations& x, float* y, std::size_t ld,
                 std::byte* scratch);

  /// Bounds of the outputs of panels [first_panel, last_panel), for rows r of x: with a = wide_scale[r] * (q
  /// of wide columns . wide[r]), b = narrow_scale[r] * (q of the others . narrow[r]) and t = a + b -
  /// offset[r], output i is within step * (error_bound[r] + rounding * (|a| + |b| + |offset[r]|)) + slack[r]
  /// + rounding * |base| of base + step * t. upper: [rows][ld], the upper bounds, ld >= 16 * panels. lower:
  /// [rows]: raised to the largest lower bound. All tables give the same bits.
  void (*screen)(const ScreenPanels& w, std::size_t first_panel, std::size_t last_panel, const ScreenQuery& x,
                 float* upper, std::size_t ld, float* lower);

  /// A change of basis: y[i] = the sum over k in [0, n) of (x[k] - mean[k]) * columns[k * ld + i], i in [0,
  /// count), in double, k ascending, each product and each sum rounded. All tables give the same bits.
  void (*change_basis)(const float* x, const float* mean, std::size_t n, const float* columns, std::size_t ld,
                       std::size_t count, double* y);

  /// out[k][0 .. 16) = the values of panel `panel`, in float: [w.cols][ld].
  void (*unpack)(const PackedMatrix& w, std::size_t panel, float* out, std::size_t ld);

  /// y = x / sqrt(mean(x^2) + eps) * weight; in place allowed. (Zhang & Sennrich 2019)
  void (*rms_norm)(const float* x, const float* weight, std::size_t n, float eps, float* y);

  /// y = (x - mean(x)) / sqrt(variance(x) + eps) * weight + bias, without a bias if it is null; in place
  /// allowed. (Ba et al. 2016)
  void (*layer_norm)(const float* x, const float* weight, const float* bias, std::size_t n, float eps,
                     float* y);

  /// y += x
  void (*add)(const float* x, std::size_t n, float* y);

  /// y = f(gate) * up, kClampedSilu: f(gate, up); in place allowed.
  void (*gate)(const Gate& f, const float* gate, const float* up, std::size_t n, float* y);

  /// y = log(1 + e^x); in place allowed.
  void (*softplus)(const float* x, std::size_t n, float* y);

  /// One token of a state-space recurrence (Gu and Dao 2023) in kScanChannels channels i: for each place k in
  /// [0, n), state[k][i] = decay[k * decay_step + i] * state[k][i] + b[k] * input[i]; y[i] = the sum over k
  /// of c[k] * state[k][i]. decay_step: 0, or kScanChannels.
  void (*scan)(const float* decay, std::size_t decay_step, const float* input, const float* b, const float* c,
               std::size_t n, float* state, float* y);
  /// y = e^(rate * ln(1 + e^(x + bias))): the decay of a state; in place allowed. rate <= 0.
  void (*decay)(const float* x, const float* bias, const float* rate, std::size_t n, float* y);

  /// The gated delta rule (Yang et al. 2025): for each token in order, S = decay S (row i times decay[i]), S
  /// += k (beta (v - S^T k))^T, y = S^T q. The bits do not depend on how tokens are divided among calls.
  /// y: [count][ld].
  void (*delta_rule)(const DeltaTokens& tokens, float* state, float* y, std::size_t ld);
  /// y = cap * tanh(y / cap) (soft cap), cap > 0.
  void (*soft_cap)(float cap, std::size_t n, float* y);

  /// Rotates x[0 .. 2 half) in half-split pairs (i, i + half) by the angles whose cos and sin are given,
  /// [half].
  void (*rope)(float* x, const float* cos, const float* sin, std::size_t half);

  /// Writes one token's key [widths.key] and value [widths.value] into slot `token` (0..63) of a page.
  void (*append)(KvType type, const float* k, const float* v, HeadWidths widths, int token, std::byte* k_page,
                 std::byte* v_page);

  /// Continues the online softmax over the first n_keys tokens of one page. The bits of a row do not depend
  /// on the other rows.
  void (*attend)(KvType type, const QueryTile& tile, const KvPage& page, int n_keys,
                 const SoftmaxState& state);

  /// The same for latents: writes one token's latent [width] into slot `token` of a page.
  void (*append_latent)(KvType type, const float* latent, std::size_t width, int token, std::byte* page);

  /// attend() over the latents of `page.k`: a key is a whole latent, a value its first widths.value columns.
  /// tile.q: [widths.key][latent_columns(rows)].
  void (*attend_latent)(KvType type, const QueryTile& tile, const KvPage& page, int n_keys,
                        const SoftmaxState& state);

  /// Merges the partial result `part` into `into` (same rows), as in flash-decoding.
  void (*merge)(const SoftmaxState& part, int rows, std::uint32_t width, const SoftmaxState& into);

  /// out[rows][width] /= sum; a row that attended to no key is zero.
  void (*finish)(const SoftmaxState& state, int rows, std::uint32_t width);

  /// The largest x (NaN if any x is NaN), n >= 1.
  float (*max)(const float* x, std::size_t n);

  /// y = exp(scale * (x - shift)), returning the sum of y. scale: finite and not 0 as a float. y may be x, or
  /// null to get only the sum. -inf gives 0. All tables but exact_kernels() give the same bits, so that the
  /// same logits give the same token.
  double (*exp_sum)(const float* x, std::size_t n, float shift, double scale, float* y);
};

/// Bytes that matmul needs per thread.
std::size_t matmul_scratch_bytes(std::size_t cols);

}  // namespace partita::internal
