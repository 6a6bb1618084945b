// The tensors of one layer, by their names in GGUF files. A family builds its Layer with it.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/config.h"
#include "engine/layers/causal_conv.h"
#include "engine/layers/layer.h"
#include "engine/tensor_loader.h"
#include "partita/result.hpp"

namespace partita::internal {

/// Which of the n rotated elements of a head, its first, rotate together in the file's rows of Q and K.
/// Packed rows are always in halves.
enum class RopePairs : std::uint8_t {
  kNone,      // no rotary rows
  kHalves,    // (i, i + n / 2)
  kAdjacent,  // (2i, 2i + 1)
  // (2i, 2i + 1) of the whole head in the file, (i, i + n / 2) of its first n in the model.
  kAdjacentInHead,
  kLastAdjacent,  // (2i, 2i + 1) of its last n instead
};

/// Reads "blk.{index}.{name}.weight" and ".bias". The first error is kept; what is read after it stays empty.
class LayerReader {
 public:
  LayerReader(TensorLoader& tensors, std::size_t index, const Config& config)
      : tensors_(tensors), prefix_("blk." + std::to_string(index) + "."), config_(config) {}

  const std::optional<Error>& error() const { return error_; }

  /// The vector "blk.{index}.{tensor}", [size] or [1][size]; empty if the file has none.
  Vector optional_vector(std::string_view tensor, std::size_t size);

  /// A norm of `size` elements: of Config::norm, an RMS norm, or a LayerNorm with the weights and the bias
  /// that the file has.
  Norm norm(std::string_view name, std::size_t size) { return norm(name, size, config_.norm); }
  Norm rms(std::string_view name, std::size_t size) { return norm(name, size, NormKind::kRms); }
  Norm layer_norm(std::string_view name, std::size_t size) { return norm(name, size, NormKind::kLayer); }
  /// A norm of Config::norm of each head of Q or K, whose weights differ: [heads][head_dim].
  Norm head_norms(std::string_view name, std::size_t heads, RopePairs pairs);

  /// Whether the layer has the tensor "{name}.weight"; with these many rows.
  bool has(std::string_view name) const;
  bool has(std::string_view name, std::size_t rows) const;

  /// The rows of the matrix "{name}.weight", if no key gives them.
  std::size_t rows(std::string_view name);

  /// All elements of "blk.{index}.{name}", whose name has no suffix of its own here, in float.
  /// Lengths of 1 in the shape may differ.
  Vector values(std::string_view name, std::initializer_list<std::uint64_t> shape);

  /// A depthwise convolution, [columns][taps] in the file, with its bias if the file has one.
  CausalConv conv(std::string_view name, std::uint32_t taps, std::uint32_t columns);

  /// Where a matrix [rows][cols] goes, with its bias if the file has one. It may be a part of a tensor that
  /// holds several matrices one after the other.
  struct Part {
    std::string_view name;
    Linear* to;
    std::size_t rows, cols;
    RopePairs pairs = RopePairs::kNone;
    std::size_t first = 0;  // its first row in the tensor
    std::size_t of = 0;     // rows of the tensor; 0: those of the matrix
    std::size_t block = 0;  // > 0: rows of a block: the matrix has every other one, another the rest
    std::size_t head = 0;   // rows of a head; 0: Config::head_dim
  };
  /// Matrices that a step multiplies together: their panels are packed as one list.
  void linears(std::initializer_list<Part> parts);

  /// A matrix of every expert, stacked in one tensor [experts][rows][cols], with their biases [experts][rows]
  /// if the file has them. With a second matrix, [experts][2 * rows][cols]: first the rows of the first.
  struct Stack {
    std::string_view name;
    Linear Ffn::*to;
    std::size_t rows, cols;
    Linear Ffn::*second = nullptr;
  };
  void experts(const Stack& stack, std::span<Ffn> experts);

  /// A matrix of every head, stacked in one tensor [heads][rows][cols].
  void stack(std::string_view name, std::size_t rows, std::size_t cols, std::span<Linear> heads);

  /// Leaves out the tensor "blk.{index}.{tensor}" if the file has it: it changes nothing that is computed.
  void skip(const std::string& tensor) { tensors_.skip(prefix_ + tensor); }

  /// The transposed matrix [cols][rows] of a part, without biases. Quantized types become F32.
  void transposed(const Part& part);

 private:
  Norm norm(std::string_view name, std::size_t size, NormKind kind);
  Result<void> read_stack(const Stack& stack, std::span<Ffn> experts);
  Result<void> read(std::initializer_list<Part> parts);

  TensorLoader& tensors_;
  const std::string prefix_;
  const Config& config_;
  std::optional<Error> error_;
};

}  // namespace partita::internal
