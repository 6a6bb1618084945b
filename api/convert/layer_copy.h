// Copies the tensors of one layer of a checkpoint into a model file. Internal to api/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/convert/checkpoint_config.h"
#include "api/convert/convert_tensors.h"
#include "weights/sentence.h"

namespace partita::internal {

struct CheckpointFamily;

/// first, first + step, ...: `count` numbers.
std::vector<std::size_t> every(std::size_t first, std::size_t step, std::size_t count);

/// Names without ".weight" and ".bias": `from` after "model.layers.{index}.", `to` after "blk.{index}.".
/// Biases are copied where the checkpoint has them. Errors are kept by TensorCopy.
class LayerCopy {
 public:
  LayerCopy(const CheckpointConfig& config, const CheckpointFamily& family, std::size_t index,
            TensorCopy& tensors);
  /// Of tensors outside layers: names have nothing before them.
  LayerCopy(const CheckpointConfig& config, const CheckpointFamily& family, TensorCopy& tensors)
      : config_(config), family_(family), tensors_(tensors) {}

  const CheckpointConfig& config() const { return config_; }
  std::size_t heads() const {  // of queries
    return config_.heads_of_layers.empty() ? config_.heads : config_.heads_of_layers[index_];
  }
  HeadSizes head_sizes() const;
  std::size_t ffn_width() const {
    return config_.ffn_of_layers.empty() ? config_.ffn : config_.ffn_of_layers[index_];
  }
  std::size_t query_width() const { return heads() * config_.head_dim; }
  bool has_attention() const {  // as config.json says
    return config_.kv_heads_of_layers.empty() || config_.kv_heads_of_layers[index_] > 0;
  }
  bool has_ffn() const { return config_.ffn_of_layers.empty() || config_.ffn_of_layers[index_] > 0; }
  bool has(std::string_view from) const { return tensors_.has(from_ + std::string(from) + ".weight"); }

  std::size_t rows(std::string_view from) { return tensors_.rows(sentence(from_, from, ".weight")); }

  bool has_tensor(std::string_view name) const { return tensors_.has(from_ + std::string(name)); }

  void linear(std::string_view from, std::string_view to, std::size_t rows, std::size_t cols);
  /// The same for Q or K, whose rows are reordered if the family stores adjacent rotary pairs.
  void rotary(std::string_view from, std::string_view to, std::size_t rows);
  /// A small matrix that stays in f32: the router of a mixture of experts.
  void router(std::string_view from, std::string_view to, std::size_t rows);
  /// A norm, its weights with the offset of the family.
  void norm(std::string_view from, std::string_view to, std::size_t size);

  /// A matrix that the checkpoint stores as [cols][rows].
  void transposed(std::string_view from, std::string_view to, std::size_t rows, std::size_t cols);
  /// Q, K and V in one matrix whose rows are, for every KV head, its queries, its keys and its values; they
  /// become all queries, all keys, all values.
  void grouped_qkv(std::string_view from, std::string_view to);
  /// A small matrix [rows][cols] that stays in f32.
  void small(std::string_view from, std::string_view to, std::size_t rows, std::size_t cols);
  /// A vector by its whole names, the weights of a norm without the offset of the family; [1][size] counts as
  /// one.
  void vector(std::string_view from, std::string_view to, std::size_t size);
  /// A small tensor by its whole names, in f32 with another shape; with is_rate -exp of it.
  void reshaped(std::string_view from, std::string_view to, std::initializer_list<std::uint64_t> shape,
                std::initializer_list<std::uint64_t> new_shape, bool is_rate = false);
  /// The filters of a causal convolution, [channels][1][width] in the checkpoint, in f32.
  void convolution(std::string_view from, std::string_view to, std::size_t channels, std::size_t width);
  /// The same with channels in an order.
  void ordered_convolution(std::string_view from, std::string_view to, std::span<const std::size_t> order,
                           std::size_t width);
  /// Rows order[0], order[1], ... of the experts' matrices, which the checkpoint stores transposed, as
  /// [experts][cols][rows_there] or [experts * cols][rows_there], under the whole name `from`; with the same
  /// rows of `from`_bias, if that exists.
  void transposed_experts(std::string_view from, std::string_view to, std::span<const std::size_t> order,
                          std::size_t rows_there, std::size_t cols);
  /// The experts' matrices, stored as [experts * rows][cols] under the whole name `from`.
  void flat_experts(std::string_view from, std::string_view to, std::size_t rows, std::size_t cols);
  /// A matrix whose row r is row order[r] of the checkpoint's, which has `rows_there`.
  void ordered_rows(std::string_view from, std::string_view to, std::span<const std::size_t> order,
                    std::size_t rows_there, std::size_t cols);
  /// Rows first, first + 1, ... of each head of a matrix, stacked: [heads][count][cols], or
  /// [heads][cols][count] if transposed.
  struct HeadRows {
    std::size_t all, first, count;  // of a head; those that are taken
  };
  void head_rows(std::string_view from, std::string_view to, const HeadRows& rows, std::size_t cols,
                 bool transposed = false);
  /// A matrix whose column i is column order[i] of the checkpoint's.
  void ordered_columns(std::string_view from, std::string_view to, std::size_t rows,
                       std::span<const std::size_t> order);
  /// A vector by its whole names, its element i is order[i] of the checkpoint's; with is_rate -exp of it.
  void ordered_vector(std::string_view from, std::string_view to, std::span<const std::size_t> order,
                      bool is_rate = false);
  /// A matrix whose rows are multiplied: those of each part by its scale. It must not have a bias.
  struct ScaledRows {
    std::size_t rows;
    float scale;
  };
  void scaled(std::string_view from, std::string_view to, std::initializer_list<ScaledRows> parts,
              std::size_t cols);
  /// Matrices of all experts, "{before}{expert}.{after}", stacked in one tensor [experts][rows][cols].
  void experts(std::string_view before, std::string_view after, std::string_view to, std::size_t rows,
               std::size_t cols);
  /// Matrices "{before}{i}{after}" stacked in one tensor [count][rows][cols].
  void stack(std::string_view before, std::string_view after, std::string_view to, std::size_t count,
             std::size_t rows, std::size_t cols);
  /// A matrix of `rows_there` rows, followed by rows of zeros.
  void padded(std::string_view from, std::string_view to, std::size_t rows_there, std::size_t rows,
              std::size_t cols);
  /// Two tensors from one [count][2 * rows][cols] (count 0: a matrix): the first rows of each slice, and the
  /// last.
  void halves(std::string_view from, std::string_view first, std::string_view last, std::size_t count,
              std::size_t rows, std::size_t cols);
  /// A tensor [count][rows][cols] as it is, with or without ".weight" in the checkpoint.
  void stacked(std::string_view from, std::string_view to, std::size_t count, std::size_t rows,
               std::size_t cols);

  /// Outside layers: metadata `key`, an array of the one number of tensor `from` of each layer.
  void numbers_of_layers(std::string_view from, std::string_view key);

  // Parts that many families share, with Llama's names.
  void attention(std::string_view before = "self_attn.");  // {before}{q,k,v,o}_proj
  void head_norms();                                       // self_attn.{q,k}_norm of single heads
  void projection_norms();                                 // the same of whole projections
  void pre_norms();  // input_layernorm, post_attention_layernorm: before attention and before the FFN
  void ungated_ffn(std::string_view before = "mlp.");  // mlp.{up,down}_proj
  void ffn(std::string_view before = "mlp.");          // {before}{gate,up,down}_proj
  /// {router_name} and mlp.experts.*.{gate,up,down}_proj
  void mixture(std::string_view router_name = "mlp.gate");
  /// The same in Mixtral's names: {before}gate, {before}experts.*.{w1,w3,w2}
  void mixture_of_w(std::string_view before);
  /// {before}{gate,up,down}_proj
  void shared_experts(std::string_view before = "mlp.shared_experts.");

 private:
  void bias(std::string_view from, std::string_view to, std::size_t size, bool is_rotary);

  const CheckpointConfig& config_;
  const CheckpointFamily& family_;
  const std::size_t index_ = 0;
  const std::string from_, to_;
  TensorCopy& tensors_;
};

}  // namespace partita::internal
