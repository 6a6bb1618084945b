#include "tests/engine/reference_model.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "tests/catch.h"
#include "weights/codecs/codec.h"

namespace partita::internal::testing {
namespace {

constexpr double kEps = 9.99999974737875163555e-06;  // 1e-5 as float, as the file has it

class Reference {
 public:
  Reference(const Gguf& file, const TinySpec& spec, const Rounding& rounding)
      : file_(file), spec_(spec), rounding_(rounding), random_(rounding.seed) {}

  Forward run(std::span<const std::int32_t> tokens);

 private:
  Doubles weights(const std::string& name, std::size_t size) const;
  Doubles rounded(Doubles values, double relative);
  Doubles times(const std::string& name, std::size_t rows, const Doubles& x);
  Doubles linear(const std::string& name, std::size_t rows, const Doubles& x);
  Doubles norm(const std::string& name, const Doubles& x, std::size_t size) const;
  void rotate(Doubles& x, std::size_t heads, bool local) const;
  Doubles attention(const Doubles& q, const Doubles& k, const Doubles& v, std::size_t window,
                    std::size_t sinks) const;
  Doubles feed_forward(const std::string& prefix, const Doubles& x);
  void layer(std::size_t index, Doubles& x);

  const Gguf& file_;
  const TinySpec& spec_;
  const Rounding rounding_;
  std::mt19937_64 random_;
  std::size_t n_ = 0;
};

Doubles Reference::weights(const std::string& name, std::size_t size) const {
  const TensorView* tensor = file_.find_tensor(name);
  REQUIRE(tensor != nullptr);
  REQUIRE(tensor->shape.elements() == size);
  std::vector<float> values(size);
  codec(tensor->dtype).dequantize(tensor->bytes.data(), size, values.data());
  return {values.begin(), values.end()};
}

/// Each value times a factor within 1 +- relative.
Doubles Reference::rounded(Doubles values, double relative) {
  if (relative == 0) return values;
  std::uniform_real_distribution<double> error(-relative, relative);
  for (double& v : values) v *= 1 + error(random_);
  return values;
}

/// y[n][rows] = x[n][cols] W^T
Doubles Reference::times(const std::string& name, std::size_t rows, const Doubles& x) {
  const std::size_t cols = x.size() / n_;
  const Doubles w = rounded(weights(name, rows * cols), rounding_.weights);
  Doubles in = rounded(x, rounding_.activations);
  if (rounding_.group != 0) {
    for (std::size_t g = 0; g < in.size(); g += 32) {
      const auto first = in.begin() + static_cast<std::ptrdiff_t>(g);
      const auto last = in.begin() + static_cast<std::ptrdiff_t>(std::min(g + 32, in.size()));
      double largest = 0;
      std::for_each(first, last, [&](double v) { largest = std::max(largest, std::abs(v)); });
      std::uniform_real_distribution<double> error(-largest * rounding_.group, largest * rounding_.group);
      std::for_each(first, last, [&](double& v) { v += error(random_); });
    }
  }
  // Each sum in the order of its columns; the sums of all tokens side by side, so that the compiler
  // vectorizes them.
  Doubles by_column(in.size()), y(n_ * rows), sums(n_);
  for (std::size_t i = 0; i < in.size(); ++i) by_column[i % cols * n_ + i / cols] = in[i];
  for (std::size_t r = 0; r < rows; ++r) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t c = 0; c < cols; ++c) {
      const double weight = w[r * cols + c];
      const double* const values = &by_column[c * n_];
      for (std::size_t t = 0; t < n_; ++t) sums[t] += weight * values[t];
    }
    for (std::size_t t = 0; t < n_; ++t) y[t * rows + r] = sums[t];
  }
  return y;
}

/// A product with the optional bias of the matrix.
Doubles Reference::linear(const std::string& name, std::size_t rows, const Doubles& x) {
  Doubles y = times(name + ".weight", rows, x);
  if (!spec_.has_qkv_bias()) return y;
  const Doubles bias = weights(name + ".bias", rows);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += bias[i % rows];
  return y;
}

/// RMS norm of every `size` consecutive values.
Doubles Reference::norm(const std::string& name, const Doubles& x, std::size_t size) const {
  const Doubles w = weights(name, size);
  Doubles y(x.size());
  for (std::size_t at = 0; at < x.size(); at += size) {
    double squares = 0;
    for (std::size_t i = 0; i < size; ++i) squares += x[at + i] * x[at + i];
    const double scale = 1 / std::sqrt(squares / static_cast<double>(size) + kEps);
    for (std::size_t i = 0; i < size; ++i) y[at + i] = x[at + i] * scale * w[i];
  }
  return y;
}

/// x: [n][heads][head_dim]. llama files have pairs (2i, 2i + 1), gemma3 files (i, i + head_dim / 2).
void Reference::rotate(Doubles& x, std::size_t heads, bool local) const {
  const std::size_t d = spec_.head_dim;
  const bool halves = spec_.gemma() || spec_.qwen();
  const double base = spec_.gemma() && !local ? 1e6 : 1e4;
  const Doubles factors = spec_.rope_factors ? weights("rope_freqs.weight", d / 2) : Doubles(d / 2, 1.0);
  for (std::size_t t = 0; t < n_; ++t) {
    for (std::size_t i = 0; i < d / 2; ++i) {
      double angle =
          static_cast<double>(t) * std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(d));
      if (!local) angle /= factors[i] * spec_.linear_factor;
      for (std::size_t h = 0; h < heads; ++h) {
        double* head = x.data() + (t * heads + h) * d;
        double& a = halves ? head[i] : head[2 * i];
        double& b = halves ? head[i + d / 2] : head[2 * i + 1];
        const double rotated = a * std::cos(angle) - b * std::sin(angle);
        b = a * std::sin(angle) + b * std::cos(angle);
        a = rotated;
      }
    }
  }
}

/// Token t attends to s if s <= t and, with a window, s < sinks or t - s < window.
Doubles Reference::attention(const Doubles& q, const Doubles& k, const Doubles& v, std::size_t window,
                             std::size_t sinks) const {
  const std::size_t d = spec_.head_dim, heads = spec_.heads, kv_heads = spec_.kv_heads;
  Doubles out(q.size(), 0.0);
  for (std::size_t t = 0; t < n_; ++t) {
    const auto sees = [&](std::size_t s) { return window == 0 || s < sinks || t - s < window; };
    for (std::size_t h = 0; h < heads; ++h) {
      const std::size_t kv = h / (heads / kv_heads);
      Doubles p(n_, 0.0);
      double sum = 0;
      for (std::size_t s = 0; s <= t; ++s) {
        if (!sees(s)) continue;
        double dot = 0;
        for (std::size_t i = 0; i < d; ++i)
          dot += q[(t * heads + h) * d + i] * k[(s * kv_heads + kv) * d + i];
        sum += p[s] = std::exp(dot / std::sqrt(static_cast<double>(d)));
      }
      for (std::size_t s = 0; s <= t; ++s) {
        if (!sees(s)) continue;
        for (std::size_t i = 0; i < d; ++i)
          out[(t * heads + h) * d + i] += p[s] / sum * v[(s * kv_heads + kv) * d + i];
      }
    }
  }
  return out;
}

Doubles Reference::feed_forward(const std::string& prefix, const Doubles& x) {
  Doubles gate = times(prefix + "ffn_gate.weight", spec_.ffn, x);
  const Doubles up = times(prefix + "ffn_up.weight", spec_.ffn, x);
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const double g = gate[i];
    const double gelu = 0.5 * g * (1 + std::tanh(std::sqrt(2 / M_PI) * (g + 0.044715 * g * g * g)));
    gate[i] = (spec_.gemma() ? gelu : g / (1 + std::exp(-g))) * up[i];
  }
  return times(prefix + "ffn_down.weight", spec_.hidden, gate);
}

void Reference::layer(std::size_t index, Doubles& x) {
  const std::string p = "blk." + std::to_string(index) + ".";
  const std::size_t hidden = spec_.hidden, d = spec_.head_dim;
  const bool local = spec_.gemma() && index % 6 != 5;
  std::size_t window = local || !spec_.gemma() ? spec_.window : 0, sinks = 0;
  if (spec_.attention_window != 0 && (window == 0 || window > spec_.attention_window)) {
    window = spec_.attention_window;
    sinks = spec_.attention_sinks;
  }

  const Doubles in = norm(p + "attn_norm.weight", x, hidden);
  Doubles q = linear(p + "attn_q", spec_.heads * d, in);
  Doubles k = linear(p + "attn_k", spec_.kv_heads * d, in);
  const Doubles v = rounded(linear(p + "attn_v", spec_.kv_heads * d, in), rounding_.cache);
  if (spec_.has_qk_norm()) {
    q = norm(p + "attn_q_norm.weight", q, d);
    k = norm(p + "attn_k_norm.weight", k, d);
  }
  rotate(q, spec_.heads, local);
  rotate(k, spec_.kv_heads, local);
  k = rounded(std::move(k), rounding_.cache);
  Doubles half = times(p + "attn_output.weight", hidden, attention(q, k, v, window, sinks));
  if (spec_.gemma()) half = norm(p + "post_attention_norm.weight", half, hidden);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += half[i];

  half = feed_forward(p, norm(p + "ffn_norm.weight", x, hidden));
  if (spec_.gemma()) half = norm(p + "post_ffw_norm.weight", half, hidden);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += half[i];
}

Forward Reference::run(std::span<const std::int32_t> tokens) {
  n_ = tokens.size();
  const std::size_t hidden = spec_.hidden;
  const Doubles embedding = weights("token_embd.weight", spec_.vocab * hidden);
  const double scale = spec_.gemma() ? std::sqrt(static_cast<double>(hidden)) : 1.0;
  Doubles x;
  for (const std::int32_t token : tokens) {
    for (std::size_t i = 0; i < hidden; ++i)
      x.push_back(embedding[static_cast<std::size_t>(token) * hidden + i] * scale);
  }
  for (std::size_t i = 0; i < spec_.layers; ++i) layer(i, x);
  x = norm("output_norm.weight", x, hidden);
  return {x, times(spec_.tied ? "token_embd.weight" : "output.weight", spec_.vocab, x)};
}

}  // namespace

Forward reference_forward(const Gguf& file, const TinySpec& spec, std::span<const std::int32_t> tokens,
                          const Rounding& rounding) {
  return Reference(file, spec, rounding).run(tokens);
}

}  // namespace partita::internal::testing
