// Reads the tensors of a file into panels and vectors. Every shape is checked and every tensor is marked as
// used. The file's pages are released after packing: only the slices that are being packed are in memory.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/kernels/panels.h"
#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita::internal {

using Vector = std::vector<float>;

/// Where the rows of a linear layer lie in its tensor: row r is row first + map[r] of a slice.
struct LinearSource {
  std::size_t slice = 0;           // of a stack
  std::size_t first = 0;           // its first row in the slice
  std::size_t tensor_rows = 0;     // of the slice
  std::vector<std::uint32_t> map;  // [rows]; empty: identity
};

/// A linear layer, y = W x + b; an empty bias: none.
struct Linear {
  static constexpr std::uint32_t kFixed = UINT32_MAX;

  PackedMatrix weight;           // [rows][cols]; rows == 0: absent
  Vector bias;                   // [rows] or empty
  std::string name = {};         // of the tensor, without ".weight"
  std::uint32_t index = kFixed;  // among the linear layers that adapters can change (adapter.h); kFixed: none
  LinearSource source = {};
  std::size_t bytes() const { return weight.bytes() + bias.size() * sizeof(float); }
};

/// A matrix to pack and the source of its rows.
struct Packing {
  PackedMatrix* matrix = nullptr;
  std::span<const std::byte> bytes;  // position in the file
  std::vector<std::uint32_t> map;    // row of `bytes` for each row; empty: identity
  std::size_t row_bytes = 0;
};

/// Where a matrix lies in the file: in the rows of a tensor that may hold others too.
struct MatrixSource {
  std::string name;                     // of the tensor
  std::size_t rows = 0, cols = 0;       // of the matrix
  std::size_t first = 0;                // its first row in the tensor
  std::size_t of = 0;                   // rows of the tensor; 0: those of the matrix
  std::vector<std::uint32_t> map = {};  // row r of the matrix is row first + map[r]; empty: identity

  std::size_t tensor_rows() const { return of > 0 ? of : rows; }
};

struct MatrixSizes {
  std::size_t rows = 0;
  std::size_t cols = 0;
};

class TensorLoader {
 public:
  /// All three must outlive it. progress: called from the loading thread with the fraction of the file that
  /// is done; if it returns false, loading stops with kCancelled. shapes_only: matrices stay zero.
  TensorLoader(const Gguf& file, PanelArena& arena, int threads,
               std::function<bool(float)> progress = nullptr, bool shapes_only = false);

  const Gguf& file() const { return file_; }

  /// The shape of a matrix in the file, if the metadata does not determine it. Errors: kNotFound; kBadFile if
  /// the rank is not 2 or the matrix has more columns than the limit.
  Result<MatrixSizes> sizes(const std::string& name) const;

  /// Errors of all reading functions: a missing tensor, a wrong shape (expected and found), kOutOfMemory,
  /// kCancelled.
  Result<void> vector(const std::string& name, std::size_t size, Vector& out);
  /// All elements of a tensor of any rank, in float.
  Result<void> values(const std::string& name, std::span<const std::uint64_t> shape, Vector& out);
  Result<void> matrix(const std::string& name, std::size_t rows, std::size_t cols, PackedMatrix& out);
  /// "{name}.weight", and "{name}.bias" if the file has it.
  Result<void> linear(const std::string& name, std::size_t rows, std::size_t cols, Linear& out);

  /// Allocates the panels of a matrix.
  Result<Packing> prepare(const MatrixSource& source, PackedMatrix& out);
  /// The same for "{name}.weight", and reads "{name}.bias", the same rows of it, if the file has it.
  Result<Packing> prepare_linear(MatrixSource source, Linear& out);
  /// "{name}.weight" [out.size() / parts][parts * rows][cols], and "{name}.bias" [out.size() / parts][parts *
  /// rows] if the file has it: a linear layer of each `rows` rows.
  Result<void> stack(const std::string& name, std::size_t rows, std::size_t cols,
                     std::span<Linear* const> out, std::size_t parts = 1);
  /// The transposed matrix [cols][rows], of the type of the file if that is a float type, else of F32.
  Result<void> transposed(const MatrixSource& source, PackedMatrix& out);
  /// Gives a linear layer the next Linear::index. It is done for those that linear(), prepare_linear() and
  /// stack() read.
  void number(Linear& linear) { linear.index = linears_++; }
  /// How many have one.
  std::uint32_t linears() const { return linears_; }
  /// Counts a tensor as read, if the file has it.
  void skip(const std::string& name);
  /// Packs matrices whose panels a step divides among workers as one list (block.cc), in units of `unit`
  /// panels, a slice at a time. Every worker packs the panels that it will multiply, so that on NUMA machines
  /// they are in the memory of its node.
  Result<void> pack(std::span<const Packing> list, std::size_t unit = 1);

  /// Whether all rows of this tensor of the file were read.
  bool used(const TensorView& tensor) const;

 private:
  /// A tensor, `rows` of whose rows will be read; by default all.
  Result<TensorView> fetch(const std::string& name, std::span<const std::uint64_t> shape,
                           std::optional<std::size_t> rows = std::nullopt);
  Result<void> bias(const MatrixSource& source, Vector& out);
  struct Slice;
  Result<std::size_t> pack_slice(std::span<const Packing> list, const Slice& slice,
                                 std::vector<std::byte>& buffer) const;
  Result<void> pack_part(const Packing& packing, const Slice& slice, std::vector<std::byte>& buffer) const;
  Result<void> report(std::size_t bytes);

  const Gguf& file_;
  PanelArena& arena_;
  const int threads_;
  const std::function<bool(float)> progress_;
  const bool shapes_only_;
  std::uint32_t linears_ = 0;
  std::size_t total_ = 0, done_ = 0;                             // bytes
  std::unordered_map<std::string_view, std::size_t> used_rows_;  // of tensors
  std::vector<std::vector<std::byte>> buffers_;                  // [threads], for bytes of the file
};

/// Bytes of the panels of all matrices of a file.
std::size_t count_panel_bytes(const Gguf& file);

}  // namespace partita::internal
