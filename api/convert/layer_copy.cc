#include "api/convert/layer_copy.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

/// Permutes the rows of Q or K for RoPE: the two rows of a rotary pair are half a head apart in a checkpoint,
/// and adjacent in a GGUF file of some families. Row h * head_dim + 2 i + b (b = 0, 1) is row h * head_dim +
/// i
/// + b * head_dim / 2.
std::vector<float> interleaved(std::span<const float> values, std::size_t head_dim, std::size_t cols) {
  std::vector<float> out(values.size());
  const std::size_t half = head_dim / 2;
  for (std::size_t row = 0; row * cols < values.size(); ++row) {
    const std::size_t in_head = row % head_dim;
    const auto from = values.subspan((row - in_head + in_head / 2 + in_head % 2 * half) * cols, cols);
    std::copy(from.begin(), from.end(), out.begin() + static_cast<std::ptrdiff_t>(row * cols));
  }
  return out;
}

}  // namespace

std::vector<std::size_t> every(std::size_t first, std::size_t step, std::size_t count) {
  std::vector<std::size_t> numbers(count);
  for (std::size_t i = 0; i < count; ++i) numbers[i] = first + i * step;
  return numbers;
}

LayerCopy::LayerCopy(const CheckpointConfig& config, const CheckpointFamily& family, std::size_t index,
                     TensorCopy& tensors)
    : config_(config),
      family_(family),
      index_(index),
      from_(sentence(family.names.layers, index, ".")),
      to_(sentence("blk.", index, ".")),
      tensors_(tensors) {}

HeadSizes LayerCopy::head_sizes() const {
  if (!config_.head_sizes.empty()) return config_.head_sizes[index_];
  return {heads(), config_.kv_heads, config_.head_dim, config_.value_dim};
}

void LayerCopy::bias(std::string_view from, std::string_view to, std::size_t size, bool is_rotary) {
  const std::string name = sentence(from_, from, ".bias");
  if (!tensors_.has(name)) return;
  const auto values = tensors_.read(name, {size});
  tensors_.write_vector(sentence(to_, to, ".bias"),
                        is_rotary ? interleaved(values, config_.head_dim, 1) : values);
}

void LayerCopy::linear(std::string_view from, std::string_view to, std::size_t rows, std::size_t cols) {
  tensors_.matrix(sentence(from_, from, ".weight"), sentence(to_, to, ".weight"), rows, cols);
  bias(from, to, rows, false);
}

void LayerCopy::rotary(std::string_view from, std::string_view to, std::size_t rows) {
  if (!family_.adjacent_pairs) return linear(from, to, rows, config_.hidden);
  const auto values = tensors_.read(sentence(from_, from, ".weight"), {rows, config_.hidden});
  tensors_.write_matrix(sentence(to_, to, ".weight"), rows, config_.hidden,
                        interleaved(values, config_.head_dim, config_.hidden));
  bias(from, to, rows, true);
}

void LayerCopy::router(std::string_view from, std::string_view to, std::size_t rows) {
  small(from, to, rows, config_.hidden);
  bias(from, to, rows, false);
}

void LayerCopy::small(std::string_view from, std::string_view to, std::size_t rows, std::size_t cols) {
  tensors_.matrix_in_f32(sentence(from_, from, ".weight"), sentence(to_, to, ".weight"), rows, cols);
}

void LayerCopy::vector(std::string_view from, std::string_view to, std::size_t size) {
  const std::string name = sentence(from_, from);
  if (tensors_.rank(name) != 2) return tensors_.vector(name, sentence(to_, to), size);
  tensors_.write_f32(sentence(to_, to), 1, size, tensors_.read(name, {1, size}));
}

void LayerCopy::reshaped(std::string_view from, std::string_view to,
                         std::initializer_list<std::uint64_t> shape,
                         std::initializer_list<std::uint64_t> new_shape, bool is_rate) {
  auto values = tensors_.read(sentence(from_, from), shape);
  if (is_rate) {
    for (float& value : values) value = -std::exp(value);
  }
  tensors_.write_f32(sentence(to_, to), new_shape, values);
}

void LayerCopy::convolution(std::string_view from, std::string_view to, std::size_t channels,
                            std::size_t width) {
  reshaped(sentence(from, ".weight"), sentence(to, ".weight"), {channels, 1, width}, {channels, width});
  bias(from, to, channels, false);
}

void LayerCopy::ordered_convolution(std::string_view from, std::string_view to,
                                    std::span<const std::size_t> order, std::size_t width) {
  const auto values = tensors_.read(sentence(from_, from, ".weight"), {order.size(), 1, width});
  std::vector<float> out(values.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = values[order[i / width] * width + i % width];
  tensors_.write_f32(sentence(to_, to, ".weight"), order.size(), width, out);
}

void LayerCopy::transposed_experts(std::string_view from, std::string_view to,
                                   std::span<const std::size_t> order, std::size_t rows_there,
                                   std::size_t cols) {
  const std::size_t experts = config_.experts, rows = order.size();
  const std::string name = sentence(from_, from), bias_name = name + "_bias";
  const auto weights = tensors_.rank(name) == 2 ? tensors_.read(name, {experts * cols, rows_there})
                                                : tensors_.read(name, {experts, cols, rows_there});
  std::vector<float> out;
  for (std::size_t e = 0; e < experts && !tensors_.error(); ++e) {
    for (const std::size_t r : order) {
      for (std::size_t i = 0; i < cols; ++i) out.push_back(weights[(e * cols + i) * rows_there + r]);
    }
  }
  tensors_.write_stack(sentence(to_, to, ".weight"), experts, rows, cols, out);
  if (!tensors_.has(bias_name)) return;
  const auto biases = tensors_.read(bias_name, {experts, rows_there});
  std::vector<float> bias(biases.empty() ? 0 : experts * rows);
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = biases[i / rows * rows_there + order[i % rows]];
  tensors_.write_f32(sentence(to_, to, ".bias"), experts, rows, bias);
}

void LayerCopy::flat_experts(std::string_view from, std::string_view to, std::size_t rows, std::size_t cols) {
  tensors_.write_stack(sentence(to_, to, ".weight"), config_.experts, rows, cols,
                       tensors_.read(sentence(from_, from), {config_.experts * rows, cols}));
}

void LayerCopy::numbers_of_layers(std::string_view from, std::string_view key) {
  std::vector<float> numbers;
  for (std::size_t i = 0; i < config_.layers; ++i)
    numbers.push_back(tensors_.number(sentence(family_.names.layers, i, ".", from)));
  tensors_.write_key(std::string(key), numbers);
}

void LayerCopy::ordered_rows(std::string_view from, std::string_view to, std::span<const std::size_t> order,
                             std::size_t rows_there, std::size_t cols) {
  const auto values = tensors_.read(sentence(from_, from, ".weight"), {rows_there, cols});
  if (tensors_.error()) return;
  std::vector<float> out;
  for (const std::size_t row : order) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(row * cols);
    out.insert(out.end(), begin, begin + static_cast<std::ptrdiff_t>(cols));
  }
  tensors_.write_matrix(sentence(to_, to, ".weight"), order.size(), cols, out);
}

void LayerCopy::head_rows(std::string_view from, std::string_view to, const HeadRows& rows, std::size_t cols,
                          bool transposed) {
  const std::size_t heads = config_.heads, size = rows.count * cols;
  const auto values = tensors_.read(sentence(from_, from, ".weight"), {heads * rows.all, cols});
  if (tensors_.error()) return;
  std::vector<float> out(heads * size);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t at = i % size;
    const std::size_t row = transposed ? at % rows.count : at / cols;
    const std::size_t col = transposed ? at / rows.count : at % cols;
    out[i] = values[(i / size * rows.all + rows.first + row) * cols + col];
  }
  tensors_.write_stack(sentence(to_, to, ".weight"), heads, transposed ? cols : rows.count,
                       transposed ? rows.count : cols, out);
}

void LayerCopy::ordered_columns(std::string_view from, std::string_view to, std::size_t rows,
                                std::span<const std::size_t> order) {
  const std::size_t cols = order.size();
  const auto values = tensors_.read(sentence(from_, from, ".weight"), {rows, cols});
  std::vector<float> out(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = values[i / cols * cols + order[i % cols]];
  tensors_.write_matrix(sentence(to_, to, ".weight"), rows, cols, out);
}

void LayerCopy::ordered_vector(std::string_view from, std::string_view to, std::span<const std::size_t> order,
                               bool is_rate) {
  const auto values = tensors_.read(sentence(from_, from), {order.size()});
  std::vector<float> out(values.size());
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = is_rate ? -std::exp(values[order[i]]) : values[order[i]];
  tensors_.write_vector(sentence(to_, to), out);
}

void LayerCopy::scaled(std::string_view from, std::string_view to, std::initializer_list<ScaledRows> parts,
                       std::size_t cols) {
  std::size_t rows = 0;
  for (const ScaledRows& part : parts) rows += part.rows;
  auto values = tensors_.read(sentence(from_, from, ".weight"), {rows, cols});
  auto value = values.begin();
  for (const ScaledRows& part : parts) {
    for (const auto end = value + static_cast<std::ptrdiff_t>(values.empty() ? 0 : part.rows * cols);
         value != end; ++value)
      *value *= part.scale;
  }
  tensors_.write_matrix(sentence(to_, to, ".weight"), rows, cols, values);
}

void LayerCopy::transposed(std::string_view from, std::string_view to, std::size_t rows, std::size_t cols) {
  const auto values = tensors_.read(sentence(from_, from, ".weight"), {cols, rows});
  std::vector<float> out(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) out[i % rows * cols + i / rows] = values[i];
  tensors_.write_matrix(sentence(to_, to, ".weight"), rows, cols, out);
  bias(from, to, rows, false);
}

void LayerCopy::grouped_qkv(std::string_view from, std::string_view to) {
  const CheckpointConfig& c = config_;
  const std::size_t rows = c.query_width() + 2 * c.key_width(), group = c.heads / c.kv_heads;
  const auto sorted = [&](std::span<const float> values, std::size_t cols) {
    std::vector<float> out;
    const auto append = [&](std::size_t kv_head, std::size_t first, std::size_t heads) {
      const std::size_t at = (kv_head * (group + 2) + first) * c.head_dim * cols;
      const auto part = values.subspan(at, heads * c.head_dim * cols);
      out.insert(out.end(), part.begin(), part.end());
    };
    if (values.empty()) return out;
    for (std::size_t h = 0; h < c.kv_heads; ++h) append(h, 0, group);
    for (std::size_t h = 0; h < c.kv_heads; ++h) append(h, group, 1);
    for (std::size_t h = 0; h < c.kv_heads; ++h) append(h, group + 1, 1);
    return out;
  };
  const std::string weight = sentence(from_, from, ".weight"), bias = sentence(from_, from, ".bias");
  tensors_.write_matrix(sentence(to_, to, ".weight"), rows, c.hidden,
                        sorted(tensors_.read(weight, {rows, c.hidden}), c.hidden));
  if (tensors_.has(bias))
    tensors_.write_vector(sentence(to_, to, ".bias"), sorted(tensors_.read(bias, {rows}), 1));
}

void LayerCopy::norm(std::string_view from, std::string_view to, std::size_t size) {
  auto values = tensors_.read(sentence(from_, from, ".weight"), {size});
  for (float& value : values) value += family_.norm_offset;
  tensors_.write_vector(sentence(to_, to, ".weight"), values);
  bias(from, to, size, false);
}

void LayerCopy::experts(std::string_view before, std::string_view after, std::string_view to,
                        std::size_t rows, std::size_t cols) {
  stack(before, sentence(".", after), to, config_.experts, rows, cols);
}

void LayerCopy::stack(std::string_view before, std::string_view after, std::string_view to, std::size_t count,
                      std::size_t rows, std::size_t cols) {
  std::vector<float> all;
  for (std::size_t i = 0; i < count && !tensors_.error(); ++i) {
    const auto values = tensors_.read(sentence(from_, before, i, after, ".weight"), {rows, cols});
    all.insert(all.end(), values.begin(), values.end());
  }
  tensors_.write_stack(sentence(to_, to, ".weight"), count, rows, cols, all);
}

void LayerCopy::padded(std::string_view from, std::string_view to, std::size_t rows_there, std::size_t rows,
                       std::size_t cols) {
  auto values = tensors_.read(sentence(from_, from, ".weight"), {rows_there, cols});
  if (tensors_.error()) return;
  values.resize(rows * cols);
  tensors_.write_matrix(sentence(to_, to, ".weight"), rows, cols, values);
}

void LayerCopy::halves(std::string_view from, std::string_view first, std::string_view last,
                       std::size_t count, std::size_t rows, std::size_t cols) {
  const std::string name = sentence(from_, from, ".weight");
  const auto values =
      count == 0 ? tensors_.read(name, {2 * rows, cols}) : tensors_.read(name, {count, 2 * rows, cols});
  if (tensors_.error()) return;
  const std::size_t half = rows * cols;
  for (const auto& [to, offset] : {std::pair{first, std::size_t{0}}, std::pair{last, half}}) {
    std::vector<float> part;
    for (std::size_t at = offset; at < values.size(); at += 2 * half) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(at);
      part.insert(part.end(), begin, begin + static_cast<std::ptrdiff_t>(half));
    }
    const std::string out = sentence(to_, to, ".weight");
    count == 0 ? tensors_.write_matrix(out, rows, cols, part)
               : tensors_.write_stack(out, count, rows, cols, part);
  }
}

void LayerCopy::stacked(std::string_view from, std::string_view to, std::size_t count, std::size_t rows,
                        std::size_t cols) {
  const std::string name = sentence(from_, from, has(from) ? ".weight" : "");
  tensors_.write_stack(sentence(to_, to, ".weight"), count, rows, cols,
                       tensors_.read(name, {count, rows, cols}));
}

void LayerCopy::attention(std::string_view before) {
  const HeadSizes of = head_sizes();
  rotary(sentence(before, "q_proj"), "attn_q", of.queries * of.key_dim);
  rotary(sentence(before, "k_proj"), "attn_k", of.keys * of.key_dim);
  linear(sentence(before, "v_proj"), "attn_v", of.keys * of.value_dim, config_.hidden);
  linear(sentence(before, "o_proj"), "attn_output", config_.hidden, of.queries * of.value_dim);
}

void LayerCopy::head_norms() {
  norm("self_attn.q_norm", "attn_q_norm", head_sizes().key_dim);
  norm("self_attn.k_norm", "attn_k_norm", head_sizes().key_dim);
}

void LayerCopy::projection_norms() {
  norm("self_attn.q_norm", "attn_q_norm", config_.query_width());
  norm("self_attn.k_norm", "attn_k_norm", config_.key_width());
}

void LayerCopy::pre_norms() {
  norm("input_layernorm", "attn_norm", config_.hidden);
  norm("post_attention_layernorm", "ffn_norm", config_.hidden);
}

void LayerCopy::ffn(std::string_view before) {
  linear(sentence(before, "gate_proj"), "ffn_gate", ffn_width(), config_.hidden);
  ungated_ffn(before);
}

void LayerCopy::ungated_ffn(std::string_view before) {
  linear(sentence(before, "up_proj"), "ffn_up", ffn_width(), config_.hidden);
  linear(sentence(before, "down_proj"), "ffn_down", config_.hidden, ffn_width());
}

void LayerCopy::mixture(std::string_view router_name) {
  const CheckpointConfig& c = config_;
  router(router_name, "ffn_gate_inp", c.experts);
  experts("mlp.experts.", "gate_proj", "ffn_gate_exps", c.expert_ffn, c.hidden);
  experts("mlp.experts.", "up_proj", "ffn_up_exps", c.expert_ffn, c.hidden);
  experts("mlp.experts.", "down_proj", "ffn_down_exps", c.hidden, c.expert_ffn);
}

void LayerCopy::mixture_of_w(std::string_view before) {
  const CheckpointConfig& c = config_;
  const std::string of_experts = sentence(before, "experts.");
  router(sentence(before, "gate"), "ffn_gate_inp", c.experts);
  experts(of_experts, "w1", "ffn_gate_exps", c.expert_ffn, c.hidden);
  experts(of_experts, "w2", "ffn_down_exps", c.hidden, c.expert_ffn);
  experts(of_experts, "w3", "ffn_up_exps", c.expert_ffn, c.hidden);
}

void LayerCopy::shared_experts(std::string_view before) {
  const CheckpointConfig& c = config_;
  linear(sentence(before, "gate_proj"), "ffn_gate_shexp", c.shared_ffn, c.hidden);
  linear(sentence(before, "up_proj"), "ffn_up_shexp", c.shared_ffn, c.hidden);
  linear(sentence(before, "down_proj"), "ffn_down_shexp", c.hidden, c.shared_ffn);
}

}  // namespace partita::internal
