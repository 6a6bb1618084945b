#include "api/convert/layer_copy.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "api/convert/checkpoint_family.h"
#include "weights/sentence.h"

namespace partita::internal {
namespace {

/// The rows of Q or K for RoPE: the two rows of a rotary pair are half a head apart in a checkpoint, and
/// adjacent in a GGUF file of some families. Row h * head_dim + 2 i + b (b = 0, 1) is row h * head_dim + i +
/// b * head_dim / 2.
Order interleaved(std::size_t rows, std::size_t head_dim) {
  std::vector<std::size_t> order(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t in_head = row % head_dim;
    order[row] = row - in_head + in_head / 2 + in_head % 2 * (head_dim / 2);
  }
  return make_order(order);
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
  const TensorPart values = tensors_.part(name, {size}).reshaped(size, 1);
  tensors_.write_vector(sentence(to_, to, ".bias"),
                        {is_rotary ? values.with_rows(interleaved(size, config_.head_dim)) : values});
}

void LayerCopy::linear(std::string_view from, std::string_view to, std::size_t rows, std::size_t cols) {
  tensors_.matrix(sentence(from_, from, ".weight"), sentence(to_, to, ".weight"), rows, cols);
  bias(from, to, rows, false);
}

void LayerCopy::rotary(std::string_view from, std::string_view to, std::size_t rows) {
  if (!family_.adjacent_pairs) return linear(from, to, rows, config_.hidden);
  const TensorPart all = tensors_.part(sentence(from_, from, ".weight"), {rows, config_.hidden});
  tensors_.write_matrix(sentence(to_, to, ".weight"), rows, config_.hidden,
                        {all.with_rows(interleaved(rows, config_.head_dim))});
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
  tensors_.write_f32(sentence(to_, to), {1, size}, {tensors_.part(name, {1, size})});
}

void LayerCopy::reshaped(std::string_view from, std::string_view to,
                         std::initializer_list<std::uint64_t> shape,
                         std::initializer_list<std::uint64_t> new_shape, bool is_rate) {
  TensorPart part = tensors_.part(sentence(from_, from), shape);
  part.is_rate = is_rate;
  tensors_.write_f32(sentence(to_, to), new_shape, {part});
}

void LayerCopy::convolution(std::string_view from, std::string_view to, std::size_t channels,
                            std::size_t width) {
  reshaped(sentence(from, ".weight"), sentence(to, ".weight"), {channels, 1, width}, {channels, width});
  bias(from, to, channels, false);
}

void LayerCopy::ordered_convolution(std::string_view from, std::string_view to,
                                    std::span<const std::size_t> order, std::size_t width) {
  const TensorPart part = tensors_.part(sentence(from_, from, ".weight"), {order.size(), 1, width});
  tensors_.write_f32(sentence(to_, to, ".weight"), {order.size(), width},
                     {part.with_rows(make_order(order))});
}

void LayerCopy::transposed_experts(std::string_view from, std::string_view to,
                                   std::span<const std::size_t> order, std::size_t rows_there,
                                   std::size_t cols) {
  const std::size_t experts = config_.experts, rows = order.size();
  const std::string name = sentence(from_, from), bias_name = name + "_bias";
  const Order shared = make_order(order);
  const TensorPart all = tensors_.rank(name) == 2 ? tensors_.part(name, {experts * cols, rows_there})
                                                  : tensors_.part(name, {experts, cols, rows_there});
  std::vector<TensorPart> parts;
  for (std::size_t e = 0; e < experts; ++e)
    parts.push_back(all.slice(e * cols, cols).transposed().with_rows(shared));
  tensors_.write_stack(sentence(to_, to, ".weight"), experts, rows, cols, std::move(parts));
  if (!tensors_.has(bias_name)) return;
  const TensorPart biases = tensors_.part(bias_name, {experts, rows_there});
  tensors_.write_f32(sentence(to_, to, ".bias"), {experts, rows}, {biases.with_cols(shared)});
}

void LayerCopy::flat_experts(std::string_view from, std::string_view to, std::size_t rows, std::size_t cols) {
  tensors_.write_stack(sentence(to_, to, ".weight"), config_.experts, rows, cols,
                       {tensors_.part(sentence(from_, from), {config_.experts * rows, cols})});
}

void LayerCopy::numbers_of_layers(std::string_view from, std::string_view key) {
  std::vector<float> numbers;
  for (std::size_t i = 0; i < config_.layers; ++i)
    numbers.push_back(tensors_.number(sentence(family_.names.layers, i, ".", from)));
  tensors_.write_key(std::string(key), numbers);
}

void LayerCopy::ordered_rows(std::string_view from, std::string_view to, std::span<const std::size_t> order,
                             std::size_t rows_there, std::size_t cols) {
  const TensorPart all = tensors_.part(sentence(from_, from, ".weight"), {rows_there, cols});
  tensors_.write_matrix(sentence(to_, to, ".weight"), order.size(), cols, {all.with_rows(make_order(order))});
}

void LayerCopy::head_rows(std::string_view from, std::string_view to, const HeadRows& rows, std::size_t cols,
                          bool transposed) {
  const std::size_t heads = config_.heads;
  const TensorPart all = tensors_.part(sentence(from_, from, ".weight"), {heads * rows.all, cols});
  std::vector<TensorPart> parts;
  for (std::size_t h = 0; h < heads; ++h) {
    const TensorPart head = all.slice(h * rows.all + rows.first, rows.count);
    parts.push_back(transposed ? head.transposed() : head);
  }
  tensors_.write_stack(sentence(to_, to, ".weight"), heads, transposed ? cols : rows.count,
                       transposed ? rows.count : cols, std::move(parts));
}

void LayerCopy::ordered_columns(std::string_view from, std::string_view to, std::size_t rows,
                                std::span<const std::size_t> order) {
  const TensorPart all = tensors_.part(sentence(from_, from, ".weight"), {rows, order.size()});
  tensors_.write_matrix(sentence(to_, to, ".weight"), rows, order.size(), {all.with_cols(make_order(order))});
}

void LayerCopy::ordered_vector(std::string_view from, std::string_view to, std::span<const std::size_t> order,
                               bool is_rate) {
  TensorPart part = tensors_.part(sentence(from_, from), {order.size()}).with_cols(make_order(order));
  part.is_rate = is_rate;
  tensors_.write_vector(sentence(to_, to), {part});
}

void LayerCopy::scaled(std::string_view from, std::string_view to, std::initializer_list<ScaledRows> parts,
                       std::size_t cols) {
  std::size_t rows = 0;
  for (const ScaledRows& part : parts) rows += part.rows;
  const TensorPart all = tensors_.part(sentence(from_, from, ".weight"), {rows, cols});
  std::vector<TensorPart> list;
  std::size_t first = 0;
  for (const ScaledRows& part : parts) {
    list.push_back(all.slice(first, part.rows).scaled(part.scale));
    first += part.rows;
  }
  tensors_.write_matrix(sentence(to_, to, ".weight"), rows, cols, std::move(list));
}

void LayerCopy::transposed(std::string_view from, std::string_view to, std::size_t rows, std::size_t cols) {
  const TensorPart all = tensors_.part(sentence(from_, from, ".weight"), {cols, rows});
  tensors_.write_matrix(sentence(to_, to, ".weight"), rows, cols, {all.transposed()});
  bias(from, to, rows, false);
}

void LayerCopy::grouped_qkv(std::string_view from, std::string_view to) {
  const CheckpointConfig& c = config_;
  const std::size_t rows = c.query_width() + 2 * c.key_width(), group = c.heads / c.kv_heads;
  const auto sorted = [&](const TensorPart& all) {
    std::vector<TensorPart> parts;
    const auto append = [&](std::size_t kv_head, std::size_t first, std::size_t heads) {
      parts.push_back(all.slice((kv_head * (group + 2) + first) * c.head_dim, heads * c.head_dim));
    };
    for (std::size_t h = 0; h < c.kv_heads; ++h) append(h, 0, group);
    for (std::size_t h = 0; h < c.kv_heads; ++h) append(h, group, 1);
    for (std::size_t h = 0; h < c.kv_heads; ++h) append(h, group + 1, 1);
    return parts;
  };
  const std::string weight = sentence(from_, from, ".weight"), bias = sentence(from_, from, ".bias");
  tensors_.write_matrix(sentence(to_, to, ".weight"), rows, c.hidden,
                        sorted(tensors_.part(weight, {rows, c.hidden})));
  if (tensors_.has(bias))
    tensors_.write_vector(sentence(to_, to, ".bias"), sorted(tensors_.part(bias, {rows}).reshaped(rows, 1)));
}

void LayerCopy::norm(std::string_view from, std::string_view to, std::size_t size) {
  TensorPart part = tensors_.part(sentence(from_, from, ".weight"), {size});
  part.offset = family_.norm_offset;
  tensors_.write_vector(sentence(to_, to, ".weight"), {part});
  bias(from, to, size, false);
}

void LayerCopy::experts(std::string_view before, std::string_view after, std::string_view to,
                        std::size_t rows, std::size_t cols) {
  stack(before, sentence(".", after), to, config_.experts, rows, cols);
}

void LayerCopy::stack(std::string_view before, std::string_view after, std::string_view to, std::size_t count,
                      std::size_t rows, std::size_t cols) {
  std::vector<TensorPart> parts;
  for (std::size_t i = 0; i < count; ++i)
    parts.push_back(tensors_.part(sentence(from_, before, i, after, ".weight"), {rows, cols}));
  tensors_.write_stack(sentence(to_, to, ".weight"), count, rows, cols, std::move(parts));
}

void LayerCopy::padded(std::string_view from, std::string_view to, std::size_t rows_there, std::size_t rows,
                       std::size_t cols) {
  const TensorPart part = tensors_.part(sentence(from_, from, ".weight"), {rows_there, cols});
  tensors_.write_matrix(sentence(to_, to, ".weight"), rows, cols, {part, zeros(rows - rows_there, cols)});
}

void LayerCopy::halves(std::string_view from, std::string_view first, std::string_view last,
                       std::size_t count, std::size_t rows, std::size_t cols) {
  const std::string name = sentence(from_, from, ".weight");
  const TensorPart all =
      count == 0 ? tensors_.part(name, {2 * rows, cols}) : tensors_.part(name, {count, 2 * rows, cols});
  for (const auto& [to, offset] : {std::pair{first, std::size_t{0}}, std::pair{last, rows}}) {
    std::vector<TensorPart> parts;
    for (std::size_t i = 0; i < std::max<std::size_t>(count, 1); ++i)
      parts.push_back(all.slice(2 * i * rows + offset, rows));
    const std::string out = sentence(to_, to, ".weight");
    count == 0 ? tensors_.write_matrix(out, rows, cols, std::move(parts))
               : tensors_.write_stack(out, count, rows, cols, std::move(parts));
  }
}

void LayerCopy::stacked(std::string_view from, std::string_view to, std::size_t count, std::size_t rows,
                        std::size_t cols) {
  const std::string name = sentence(from_, from, has(from) ? ".weight" : "");
  tensors_.write_stack(sentence(to_, to, ".weight"), count, rows, cols,
                       {tensors_.part(name, {count, rows, cols})});
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
