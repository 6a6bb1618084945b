// Reading the tensors of a file into panels and vectors: every shape checked, every tensor marked as used; of
// the file no more is in memory at a time than the pieces that are being packed.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "engine/kernels/panels.h"
#include "partita/result.hpp"
#include "weights/gguf/gguf.h"

namespace partita {

using Vector = std::vector<float>;

/// y = W x + b; no bias where it is empty.
struct Linear {
  PackedMatrix weight;  // [rows][cols]; rows == 0: this piece does not exist
  Vector bias;          // [rows] or empty
  std::size_t bytes() const { return weight.bytes() + bias.size() * sizeof(float); }
};

/// A matrix to be packed, and where its rows come from.
struct Packing {
  PackedMatrix* matrix = nullptr;
  std::span<const std::byte> bytes;  // where they are in the file
  std::vector<std::uint32_t> map;  // which row of the file is which, within a unit of pack(); empty: the same
};

/// Of a matrix.
struct MatrixSizes {
  std::size_t rows = 0;
  std::size_t cols = 0;
};

class TensorLoader {
 public:
  /// All three must outlive it. progress: called from the loading thread with the fraction of the file that
  /// is done; returning false stops with kCancelled.
  TensorLoader(const Gguf& file, PanelArena& arena, int threads,
               std::function<bool(float)> progress = nullptr);

  const Gguf& file() const { return file_; }

  /// What a matrix in the file has, where its shape says more than the metadata. Errors: kNotFound; kBadFile:
  /// another rank, or more columns than any model here.
  Result<MatrixSizes> sizes(const std::string& name) const;

  /// Errors of all that read: a missing tensor, another shape (expected and found), kOutOfMemory, kCancelled.
  Result<void> vector(const std::string& name, std::size_t size, Vector& out);
  Result<void> matrix(const std::string& name, std::size_t rows, std::size_t cols, PackedMatrix& out);
  /// "{name}.weight", and "{name}.bias" where the file has it.
  Result<void> linear(const std::string& name, std::size_t rows, std::size_t cols, Linear& out);

  /// Allocates the panels of a matrix; `map` says which row of the file is which (empty: the same).
  Result<Packing> prepare(const std::string& name, std::size_t rows, std::size_t cols,
                          std::vector<std::uint32_t> map, PackedMatrix& out);
  /// Packs matrices whose panels a step shares out as one list (block.cc), in units of so many panels. Every
  /// worker packs the panels that it will multiply, so that on machines of several nodes they lie in its
  /// node's memory, a slice at a time.
  Result<void> pack(std::span<const Packing> list, std::size_t unit = 1);

  /// Whether somebody has asked for this tensor of the file.
  bool used(std::string_view name) const { return used_.count(name) != 0; }

 private:
  Result<TensorView> fetch(const std::string& name, std::span<const std::uint64_t> shape);
  struct Slice;
  Result<std::size_t> pack_slice(std::span<const Packing> list, const Slice& slice,
                                 std::vector<std::byte>& buffer) const;
  Result<void> pack_part(const Packing& packing, const Slice& slice, std::vector<std::byte>& buffer) const;
  Result<void> report(std::size_t bytes);

  const Gguf& file_;
  PanelArena& arena_;
  const int threads_;
  const std::function<bool(float)> progress_;
  std::size_t total_ = 0, done_ = 0;  // bytes
  std::unordered_set<std::string_view> used_;
  std::vector<std::vector<std::byte>> buffers_;  // [threads], for bytes of the file
};

/// What the panels of a file's matrices take.
std::size_t count_panel_bytes(const Gguf& file);

}  // namespace partita
