// LoRA adapters (Hu et al. 2021): changes of low rank of linear layers, y += scale B (A x), of the embedding
// and of the output. A sequence has a set of them (KvSequence::adapters()).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/kernels/panels.h"
#include "engine/tensor_loader.h"

namespace partita::internal {

class Transformer;

/// A change of one linear layer.
struct LinearChange {
  PackedMatrix a;   // [rank][cols]; rows == 0: the layer stays as it is
  PackedMatrix b;   // [rows][rank]
  float scale = 1;  // of B A
  bool empty() const { return a.rows == 0; }
};

/// A change of the embedding: a token's gets scale B a[token].
struct EmbeddingChange {
  std::size_t rank = 0;  // 0: it stays as it is
  Vector a, b;           // [vocab][rank], [hidden][rank]
  float scale = 1;
};

/// An adapter of one model, made by load_adapter() (adapter_loader.h). Immutable.
class LoadedAdapter {
 public:
  const std::string& path() const { return path_; }
  const std::string& name() const { return name_; }
  /// A checksum of its changes, whatever format they were in.
  std::uint64_t digest() const { return digest_; }
  std::size_t bytes() const { return bytes_; }
  std::size_t tensors() const { return tensors_; }    // that it changes
  std::size_t max_rank() const { return max_rank_; }  // of all
  std::size_t max_size() const { return max_size_; }  // rows or columns of a matrix that it changes
  const Transformer& model() const { return *model_; }

  /// The change of a linear layer, by Linear::index.
  const LinearChange& change_of(std::uint32_t linear) const { return of_linear_[linear]; }
  bool changes(std::uint32_t linear) const { return !change_of(linear).empty(); }
  const EmbeddingChange& embedding() const { return embedding_; }

 private:
  friend class AdapterLoader;
  LoadedAdapter() = default;
  std::string path_, name_;
  std::uint64_t digest_ = 0;
  std::size_t bytes_ = 0, tensors_ = 0, max_rank_ = 0, max_size_ = 0;
  std::shared_ptr<const Transformer> model_;
  PanelArena arena_;
  std::vector<LinearChange> of_linear_;  // [linear layers of the model]
  EmbeddingChange embedding_;
};

/// An adapter and the factor of all its changes.
struct ScaledAdapter {
  std::shared_ptr<const LoadedAdapter> adapter;
  float scale = 1;
};

/// The adapters of a sequence, applied one after the other. Immutable.
class AdapterSet {
 public:
  /// Null for no adapters; those of scale 0 are left out.
  static std::shared_ptr<const AdapterSet> make(std::vector<ScaledAdapter> adapters);

  const std::vector<ScaledAdapter>& adapters() const { return adapters_; }
  /// Differs for other adapters, scales or orders; never 0.
  std::uint64_t key() const { return key_; }
  std::size_t max_rank() const { return max_rank_; }
  std::size_t max_size() const { return max_size_; }

  /// Whether one of them changes the linear layer.
  bool changes(std::uint32_t linear) const;

  /// Adds the changes of the embedding of `token` to out: [hidden].
  void add_embedding(std::uint32_t token, std::size_t hidden, float* out) const;

 private:
  AdapterSet() = default;
  std::vector<ScaledAdapter> adapters_;
  std::uint64_t key_ = 0;
  std::size_t max_rank_ = 0, max_size_ = 0;
};

/// Rows that add_changes() computes at a time.
inline constexpr std::size_t kAdapterRows = 16;

/// Buffers of one thread for add_changes().
class AdapterScratch {
 public:
  /// Makes them large enough for a set. Returns false, and changes nothing, if there is no memory.
  bool grow_to(const AdapterSet& set);

 private:
  friend void add_changes(const Kernels& kernels, const AdapterSet& set, const Linear& linear, const float* x,
                          std::size_t rows, PanelRange panels, float* out, std::size_t ld,
                          AdapterScratch& scratch);
  std::size_t rank_ = 0, size_ = 0;
  AlignedBytes inner_;   // [kAdapterRows][rank_]
  AlignedBytes out_;     // [kAdapterRows][size_]
  AlignedBytes matmul_;  // scratch of the kernels
};

/// Adds the changes of a linear layer to rows of its outputs: out[r] += scale B (A x[r]) in the columns of
/// `panels`. x: [rows][columns of the layer], out: [rows][ld], from its first column on. A row depends on
/// itself alone.
void add_changes(const Kernels& kernels, const AdapterSet& set, const Linear& linear, const float* x,
                 std::size_t rows, PanelRange panels, float* out, std::size_t ld, AdapterScratch& scratch);

}  // namespace partita::internal
