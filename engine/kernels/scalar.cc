// The definition (reference implementation) of every kernel: plain loops, sums in double where rounding
// matters. Tests compare the vector tables with it; it also runs on processors without AVX2 and, with
// products in float (at the end), in the exact mode.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/kernels/kernels.h"
#include "engine/kernels/portable.h"
#include "engine/kernels/tables.h"
#include "weights/codecs/codec.h"

namespace partita::internal {
namespace {

void quantize(const Activations& x, std::size_t first, std::size_t last) {
  const std::size_t groups = x.cols / kGroupCols;
  for (std::size_t r = first; r < last; ++r) {
    const float* row = x.values + r * x.cols;
    float most = 0;
    bool finite = true;
    for (std::size_t i = 0; i < x.cols; ++i) {
      finite = finite && std::isfinite(row[i]);
      most = std::max(most, std::abs(row[i]));
    }
    const float inverse = finite && most >= kMinAmplitude ? kMaxQuant / most : 0.0F;
    x.scale[r] = finite ? most / kMaxQuant : std::numeric_limits<float>::quiet_NaN();
    for (std::size_t g = 0; g < groups; ++g) {
      const float* v = row + g * kGroupCols;
      std::int16_t* to = x.q + r * quant_stride(x.cols) + g * kGroupCols;
      std::int32_t sum = 0;
      for (int i = 0; i < kGroupCols; ++i) {
        const float value = v[i / 8 * 8 + kPairOrder[i % 8]];
        const float scaled = finite ? std::clamp(value * inverse, -kMaxQuant, kMaxQuant) : 0.0F;
        to[i] = static_cast<std::int16_t>(std::lrint(scaled));
        sum += to[i];
      }
      x.sum[r * groups + g] = static_cast<float>(sum);
    }
  }
}

int screen_quant(const std::byte* quants, std::size_t lane, std::size_t place) {
  const ScreenPlace at = screen_place(lane, place);
  std::uint32_t word;
  std::memcpy(&word, quants + at.byte, sizeof word);
  return static_cast<int>(word >> at.shift & 0xF);
}

void screen(const ScreenPanels& w, std::size_t first, std::size_t last, const ScreenQuery& x, float* upper,
            std::size_t ld, float* lower) {
  const std::size_t narrow_cols = w.cols - kScreenWide;
  for (std::size_t r = 0; r < x.rows; ++r) {
    for (std::size_t p = first; p < last; ++p) {
      for (std::size_t lane = 0; lane < kPanelRows; ++lane) {
        std::int32_t wide = 0, narrow = 0;
        for (std::size_t k = 0; k < kScreenWide; ++k) {
          wide += screen_quant(w.quants(p), lane, k) * x.wide[r * kScreenWide + k];
        }
        for (std::size_t k = 0; k < narrow_cols; ++k) {
          const std::size_t place = kScreenWide + k / 8 * 8 + kNibbleOrder[k % 8];
          narrow += screen_quant(w.quants(p), lane, place) * x.narrow[r * narrow_cols + k];
        }
        const float step = w.steps(p)[lane], base = w.bases(p)[lane];
        const float a = static_cast<float>(wide) * x.wide_scale[r];
        const float b = static_cast<float>(narrow) * x.narrow_scale[r];
        const float t = (a + b) - x.offset[r];
        const float estimate = std::fma(step, t, base);
        const float size = (std::abs(a) + std::abs(b)) + std::abs(x.offset[r]);
        const float error_bound = std::fma(size, kScreenRounding, x.error_bound[r]);
        const float slack = std::fma(std::abs(base), kScreenRounding, x.slack[r]);
        const float width = std::fma(step, error_bound, slack);
        upper[r * ld + p * kPanelRows + lane] = estimate + width;
        lower[r] = std::max(lower[r], estimate - width);
      }
    }
  }
}

void change_basis(const float* x, const float* mean, std::size_t n, const float* columns, std::size_t ld,
                  std::size_t count, double* y) {
  for (std::size_t i = 0; i < count; ++i) {
    y[i] = 0;
    for (std::size_t k = 0; k < n; ++k) {
      const double centred = static_cast<double>(x[k]) - static_cast<double>(mean[k]);
      y[i] += centred * static_cast<double>(columns[k * ld + i]);
    }
  }
}

void unpack(const PackedMatrix& w, std::size_t panel, float* out, std::size_t ld) {
  for (std::size_t lane = 0; lane < kPanelRows; ++lane) {
    const std::size_t row = panel * kPanelRows + lane;
    if (row < w.rows) {
      unpack_row(w, row, out + lane, ld);
    } else {
      for (std::size_t k = 0; k < w.cols; ++k) out[k * ld + lane] = 0;
    }
  }
}

void float_matmul(const PackedMatrix& w, PanelRange panels, const Activations& x, float* y, std::size_t ld,
                  std::byte* scratch) {
  auto* panel = reinterpret_cast<float*>(scratch);  // [cols][16]
  for (std::size_t p = panels.first; p < panels.last; ++p) {
    const std::size_t lanes = std::min<std::size_t>(kPanelRows, w.rows - p * kPanelRows);
    unpack(w, p, panel, kPanelRows);
    for (std::size_t r = 0; r < x.rows; ++r) {
      double sum[kPanelRows] = {};
      const float* a = x.values + r * x.cols;
      for (std::size_t k = 0; k < w.cols; ++k) {
        for (std::size_t lane = 0; lane < kPanelRows; ++lane) {
          sum[lane] += static_cast<double>(a[k]) * static_cast<double>(panel[k * kPanelRows + lane]);
        }
      }
      for (std::size_t lane = 0; lane < lanes; ++lane)
        y[r * ld + p * kPanelRows + lane] = static_cast<float>(sum[lane]);
    }
  }
}

void quant_matmul(const PackedMatrix& w, PanelRange panels, const Activations& x, float* y, std::size_t ld,
                  std::byte* scratch) {
  auto* quants = reinterpret_cast<std::int16_t*>(scratch);  // [cols][16], in pair order
  const std::size_t groups = w.cols / kGroupCols;
  auto* scales = reinterpret_cast<float*>(
      scratch + w.cols * kPanelRows * sizeof(std::int16_t));  // [groups][4][16], as unpack_scales gives them
  const std::size_t scales_per_group = 4 * kPanelRows;
  const int halves = w.layout.group == 16 ? 2 : 1;
  for (std::size_t p = panels.first; p < panels.last; ++p) {
    const std::size_t lanes = std::min<std::size_t>(kPanelRows, w.rows - p * kPanelRows);
    for (std::size_t g = 0; g < groups; ++g) {
      unpack_quants(w, p, g, quants + g * kGroupCols * kPanelRows);
      unpack_scales(w, p, g, scales + g * scales_per_group);
    }
    for (std::size_t r = 0; r < x.rows; ++r) {
      float total[kPanelRows] = {};
      for (std::size_t g = 0; g < groups; ++g) {
        float sums[2] = {};
        const float* scale = scales + g * scales_per_group;
        for (int half = 0; half < halves; ++half) {
          std::int32_t dot[kPanelRows] = {}, sum = 0;
          for (int i = half * kGroupCols / halves; i < (half + 1) * kGroupCols / halves; ++i) {
            const std::int32_t a =
                x.q[r * quant_stride(x.cols) + g * kGroupCols + static_cast<std::size_t>(i)];
            const std::int16_t* q = quants + (g * kGroupCols + static_cast<std::size_t>(i)) * kPanelRows;
            for (int lane = 0; lane < kPanelRows; ++lane) dot[lane] += a * q[lane];
            sum += a;
          }
          sums[half] = static_cast<float>(sum);
          for (int lane = 0; lane < kPanelRows; ++lane) {
            total[lane] += static_cast<float>(dot[lane]) * scale[half * kPanelRows + lane];
          }
        }
        for (int half = 0; half < halves; ++half) {
          const float* added = scale + (2 + half) * kPanelRows;
          for (int lane = 0; lane < kPanelRows; ++lane) total[lane] += added[lane] * sums[half];
        }
      }
      for (std::size_t lane = 0; lane < lanes; ++lane)
        y[r * ld + p * kPanelRows + lane] = total[lane] * x.scale[r];
    }
  }
}

void matmul(const PackedMatrix& w, PanelRange panels, const Activations& x, float* y, std::size_t ld,
            std::byte* scratch) {
  return (w.quantized() ? quant_matmul : float_matmul)(w, panels, x, y, ld, scratch);
}

void rms_norm(const float* x, const float* weight, std::size_t n, float eps, float* y) {
  double squares = 0;
  for (std::size_t i = 0; i < n; ++i) squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + static_cast<double>(eps));
  for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i] * factor) * weight[i];
}

void layer_norm(const float* x, const float* weight, const float* bias, std::size_t n, float eps, float* y) {
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
  const double mean = sum / static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + static_cast<double>(eps));
  for (std::size_t i = 0; i < n; ++i) {
    y[i] = static_cast<float>((x[i] - mean) * factor) * weight[i] + (bias != nullptr ? bias[i] : 0);
  }
}

void add(const float* x, std::size_t n, float* y) {
  for (std::size_t i = 0; i < n; ++i) y[i] += x[i];
}

double xielu(const Xielu& f, double x) {
  const double linear = static_cast<double>(f.linear) * x;
  if (x > 0) return linear + static_cast<double>(f.positive) * x * x;
  return linear + static_cast<double>(f.negative) * (std::expm1(x) - x);
}

double gate_of(const Gate& f, double x) {
  switch (f.function) {
    case GateFunction::kSilu:
      return x / (1 + std::exp(-x));
    case GateFunction::kGelu:
      return 0.5 * x * std::erfc(-x * M_SQRT1_2);
    case GateFunction::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case GateFunction::kReluSquared:
      return x < 0 ? 0 : x * x;
    case GateFunction::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case GateFunction::kXielu:
      return xielu(f.xielu, x);
    case GateFunction::kClampedSilu:
      break;
  }
  return x;
}

void clamped_gate(const float* g, const float* up, std::size_t n, float* y) {
  for (std::size_t i = 0; i < n; ++i) {
    const double x = g[i] > kClampedLimit ? kClampedLimit : g[i];
    const double factor = std::clamp(up[i], -kClampedLimit, kClampedLimit) + 1;
    y[i] = static_cast<float>(x / (1 + std::exp(-kClampedSlope * x)) * factor);
  }
}

void gate(const Gate& f, const float* g, const float* up, std::size_t n, float* y) {
  if (f.function == GateFunction::kClampedSilu) return clamped_gate(g, up, n, y);
  for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<float>(gate_of(f, g[i])) * up[i];
}

void decay(const float* x, const float* bias, const float* rate, std::size_t n, float* y) {
  for (std::size_t i = 0; i < n; ++i) {
    const double z = static_cast<double>(x[i]) + bias[i];
    const double power = (z < 0 ? 0 : z) + std::log1p(std::exp(-std::abs(z)));
    y[i] = static_cast<float>(std::exp(rate[i] * power));
  }
}

void delta_rule(const DeltaTokens& x, float* state, float* y, std::size_t ld) {
  for (std::size_t t = 0; t < x.count; ++t) {
    const float *q = x.q[t], *k = x.k[t], *factor = x.decay[t];
    for (std::size_t c = 0; c < x.values; ++c) {
      float* column = state + c / 16 * 16 * x.keys + c % 16;
      double seen = 0, out = 0;
      for (std::size_t i = 0; i < x.keys; ++i) {
        column[i * 16] *= factor[x.decay_of_key ? i : 0];
        seen += static_cast<double>(k[i]) * static_cast<double>(column[i * 16]);
      }
      const double change = *x.beta[t] * (x.v[t][c] - seen);
      for (std::size_t i = 0; i < x.keys; ++i) {
        column[i * 16] = static_cast<float>(column[i * 16] + k[i] * change);
        out += static_cast<double>(q[i]) * static_cast<double>(column[i * 16]);
      }
      y[t * ld + c] = static_cast<float>(out);
    }
  }
}

double capped(double x, double cap) { return cap * std::tanh(x / cap); }

void soft_cap(float cap, std::size_t n, float* y) {
  for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<float>(capped(y[i], cap));
}

void rope(float* x, const float* cos, const float* sin, std::size_t half) {
  for (std::size_t i = 0; i < half; ++i) {
    const float a = x[i], b = x[i + half];
    x[i] = a * cos[i] - b * sin[i];
    x[i + half] = b * cos[i] + a * sin[i];
  }
}

void softplus(const float* x, std::size_t n, float* y) {
  for (std::size_t i = 0; i < n; ++i) {
    const double v = x[i];
    y[i] = static_cast<float>((v > 0 ? v : 0 * v) + std::log1p(std::exp(-std::abs(v))));
  }
}

void scan(const float* decay, std::size_t decay_step, const float* input, const float* b, const float* c,
          std::size_t n, float* state, float* y) {
  double sums[kScanChannels] = {};
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = 0; i < kScanChannels; ++i) {
      float& s = state[k * kScanChannels + i];
      const double kept = static_cast<double>(decay[k * decay_step + i]) * static_cast<double>(s);
      s = static_cast<float>(kept + static_cast<double>(b[k]) * static_cast<double>(input[i]));
      sums[i] += static_cast<double>(c[k]) * static_cast<double>(s);
    }
  }
  for (std::size_t i = 0; i < kScanChannels; ++i) y[i] = static_cast<float>(sums[i]);
}

void put(KvElement element, std::byte* at, float value) {
  if (element == KvElement::kF32) {
    std::memcpy(at, &value, 4);
  } else if (element == KvElement::kF16) {
    const std::uint16_t bits = f32_to_f16(value);
    std::memcpy(at, &bits, 2);
  } else {
    *at = static_cast<std::byte>(std::lrint(value));
  }
}

float get(KvElement element, const std::byte* at) {
  if (element == KvElement::kF32) {
    float value = 0;
    std::memcpy(&value, at, 4);
    return value;
  }
  if (element == KvElement::kI8) return static_cast<float>(static_cast<std::int8_t>(*at));
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, 2);
  return f16_to_f32(bits);
}

/// The scale of a value in the cache: v ~ scale * element. An inverse of 0: all elements are 0.
struct ValueScale {
  float scale = 1;
  float inverse = 1;
};

ValueScale value_scale(KvType type, const float* v, std::size_t width) {
  if (kv_scale_bytes(type) == 0) return {};
  float most = 0;
  for (std::size_t d = 0; d < width; ++d) {
    if (!std::isfinite(v[d])) return {std::numeric_limits<float>::quiet_NaN(), 0};
    most = std::max(most, std::abs(v[d]));
  }
  return {most / 127.0F, most >= kMinAmplitude ? 127.0F / most : 0.0F};
}

/// Element d of the key of token t, in K's layout [4 tiles of 16 tokens][width][16].
std::size_t key_index(std::size_t t, std::size_t d, std::size_t width) {
  return (t / 16 * width + d) * 16 + t % 16;
}

void append(KvType type, const float* k, const float* v, HeadWidths widths, int token, std::byte* k_page,
            std::byte* v_page) {
  const KvElement key = kv_keys(type), value = kv_values(type);
  const auto slot = static_cast<std::size_t>(token);
  for (std::size_t d = 0; d < widths.key; ++d)
    put(key, k_page + key_index(slot, d, widths.key) * bytes_of(key), k[d]);
  const ValueScale of_v = value_scale(type, v, widths.value);
  if (kv_scale_bytes(type) != 0) std::memcpy(v_page + slot * 4, &of_v.scale, 4);
  std::byte* v_at = v_page + kv_scale_bytes(type) + slot * widths.value * bytes_of(value);
  for (std::size_t d = 0; d < widths.value; ++d)
    put(value, v_at + d * bytes_of(value), of_v.inverse != 0 ? v[d] * of_v.inverse : 0.0F);
}

/// Attention with query(row, d), key(token, d) and value(token, d) as factors; scale(token) is that of a
/// value.
template <class Query, class Key, class Scale, class Value>
void attend_to(const QueryTile& tile, int n_keys, const SoftmaxState& state, Query&& query, Key&& key,
               Scale&& scale, Value&& value) {
  const auto [key_width, value_width] = tile.widths;
  for (int r = 0; r < tile.rows; ++r) {
    const int first = std::max(tile.first[r], 0), last = std::min(tile.last[r], n_keys);
    if (first >= last) continue;
    const auto row = static_cast<std::size_t>(r);
    float* out = state.out + row * value_width;
    double scores[kPageTokens];
    float max = state.max[r];
    for (int t = first; t < last; ++t) {
      const auto slot = static_cast<std::size_t>(t);
      scores[t] = 0;
      for (std::size_t d = 0; d < key_width; ++d)
        scores[t] += static_cast<double>(query(row, d)) * key(slot, d);
      if (tile.slope != nullptr)
        scores[t] += static_cast<double>(tile.slope[r]) * (t - static_cast<double>(tile.at[r]));
      if (tile.cap > 0) scores[t] = capped(scores[t], tile.cap);
      max = std::max(max, static_cast<float>(scores[t]));
    }
    const double factor = std::exp2(static_cast<double>(state.max[r]) - max);
    double sum = state.sum[r] * factor;
    double values[kMaxHeadDim];
    for (std::size_t d = 0; d < value_width; ++d) values[d] = out[d] * factor;
    for (int t = first; t < last; ++t) {
      const auto slot = static_cast<std::size_t>(t);
      const double weight = std::exp2(scores[t] - max);
      sum += weight;
      const float factor_of_v = scale(slot);
      for (std::size_t d = 0; d < value_width; ++d) values[d] += weight * factor_of_v * value(slot, d);
    }
    for (std::size_t d = 0; d < value_width; ++d) out[d] = static_cast<float>(values[d]);
    state.max[r] = max;
    state.sum[r] = static_cast<float>(sum);
  }
}

void attend(KvType type, const QueryTile& tile, const KvPage& page, int n_keys, const SoftmaxState& state) {
  const KvElement key = kv_keys(type), value = kv_values(type);
  const std::size_t scale_bytes = kv_scale_bytes(type);
  const std::size_t key_width = tile.widths.key, value_width = tile.widths.value;
  attend_to(
      tile, n_keys, state, [&](std::size_t row, std::size_t d) { return tile.q[row * key_width + d]; },
      [&](std::size_t t, std::size_t d) {
        return get(key, page.k + key_index(t, d, key_width) * bytes_of(key));
      },
      [&](std::size_t t) {
        float scale = 1;
        if (scale_bytes != 0) std::memcpy(&scale, page.v + t * 4, 4);
        return scale;
      },
      [&](std::size_t t, std::size_t d) {
        return get(value, page.v + scale_bytes + (t * value_width + d) * bytes_of(value));
      });
}

void append_latent(KvType type, const float* latent, std::size_t width, int token, std::byte* page) {
  const KvElement element = kv_keys(type);
  std::byte* at = page + static_cast<std::size_t>(token) * width * bytes_of(element);
  for (std::size_t d = 0; d < width; ++d) put(element, at + d * bytes_of(element), latent[d]);
}

void attend_latent(KvType type, const QueryTile& tile, const KvPage& page, int n_keys,
                   const SoftmaxState& state) {
  const KvElement element = kv_keys(type);
  const std::size_t width = tile.widths.key, columns = latent_columns(static_cast<std::size_t>(tile.rows));
  const auto latent = [&](std::size_t t, std::size_t d) {
    return get(element, page.k + (t * width + d) * bytes_of(element));
  };
  attend_to(
      tile, n_keys, state, [&](std::size_t row, std::size_t d) { return tile.q[d * columns + row]; }, latent,
      [](std::size_t) { return 1.0F; }, latent);
}

void merge(const SoftmaxState& part, int rows, std::uint32_t width, const SoftmaxState& into) {
  constexpr float kNothing = -std::numeric_limits<float>::infinity();
  for (int r = 0; r < rows; ++r) {
    if (part.max[r] == kNothing && part.sum[r] == 0) continue;  // saw no key
    const float max = std::max(part.max[r], into.max[r]);
    const double keep = std::exp2(static_cast<double>(into.max[r]) - max);
    const double take = std::exp2(static_cast<double>(part.max[r]) - max);
    into.sum[r] = static_cast<float>(into.sum[r] * keep + part.sum[r] * take);
    into.max[r] = max;
    const std::size_t begin = static_cast<std::size_t>(r) * width;
    for (std::size_t d = begin; d < begin + width; ++d)
      into.out[d] = static_cast<float>(into.out[d] * keep + part.out[d] * take);
  }
}

void finish(const SoftmaxState& state, int rows, std::uint32_t width) {
  for (int r = 0; r < rows; ++r) {
    const std::size_t begin = static_cast<std::size_t>(r) * width;
    for (std::size_t d = begin; d < begin + width; ++d)
      state.out[d] = state.sum[r] == 0 ? 0.0F : state.out[d] / state.sum[r];
  }
}

float max(const float* x, std::size_t n) {
  float most = x[0];
  for (std::size_t i = 0; i < n; ++i) {
    if (std::isnan(x[i])) return x[i];
    most = std::max(most, x[i]);
  }
  return most;
}

/// In double, for the exact mode. The scalar table has portable_exp_sum instead, so that a draw is the same
/// on every processor.
double exp_sum(const float* x, std::size_t n, float shift, double scale, float* y) {
  double total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double e = std::exp(scale * (static_cast<double>(x[i]) - static_cast<double>(shift)));
    if (y != nullptr) y[i] = static_cast<float>(e);
    total += e;
  }
  return total;
}

constexpr Kernels scalar_table() {
  return Kernels{.isa = Isa::kScalar,
                 .quantize = quantize,
                 .matmul = matmul,
                 .screen = screen,
                 .change_basis = change_basis,
                 .unpack = unpack,
                 .rms_norm = rms_norm,
                 .layer_norm = layer_norm,
                 .add = add,
                 .gate = gate,
                 .softplus = softplus,
                 .scan = scan,
                 .decay = decay,
                 .delta_rule = delta_rule,
                 .soft_cap = soft_cap,
                 .rope = rope,
                 .append = append,
                 .attend = attend,
                 .append_latent = append_latent,
                 .attend_latent = attend_latent,
                 .merge = merge,
                 .finish = finish,
                 .max = max,
                 .exp_sum = portable_exp_sum};
}

constexpr Kernels exact_table() {
  Kernels table = scalar_table();
  table.quantize = [](const Activations&, std::size_t, std::size_t) {};
  table.matmul = float_matmul;
  table.exp_sum = exp_sum;
  return table;
}

}  // namespace

constinit const Kernels kScalarKernels = scalar_table();
constinit const Kernels kExactKernels = exact_table();

}  // namespace partita::internal
