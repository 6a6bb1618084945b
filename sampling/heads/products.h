// Matrix products of an LM head, divided among the workers of a thread team.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/adapter.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/parallel.h"
#include "engine/tensor_loader.h"
#include "sampling/chain/candidates.h"

namespace partita::internal {

/// Weight panels that write one logit tile.
inline constexpr std::size_t kTilePanels = kLogitTile / kPanelRows;

/// The length of a row of n logits, rounded up so that whole panels can be written.
constexpr std::size_t whole_panels(std::size_t n) { return (n + kPanelRows - 1) / kPanelRows * kPanelRows; }

/// Buffers for products of up to `rows` rows of `cols` columns.
class ProductScratch {
 public:
  ProductScratch(std::size_t rows, std::size_t cols, int threads) : activations_(rows, cols) {
    for (int t = 0; t < threads; ++t) matmul_.emplace_back(matmul_scratch_bytes(cols));
    adapters_.resize(matmul_.size());
  }

  /// Makes the buffers of adapters large enough. False if memory runs out.
  bool grow_to(const AdapterSet& set) {
    return std::all_of(adapters_.begin(), adapters_.end(),
                       [&](AdapterScratch& one) { return one.grow_to(set); });
  }

  bool ok() const {
    return activations_.ok() && std::all_of(matmul_.begin(), matmul_.end(), [](const AlignedBytes& bytes) {
             return bytes.size() == 0 || bytes.data() != nullptr;
           });
  }

  /// values: [rows][cols].
  Activations view(const float* values, std::size_t rows, std::size_t cols) {
    Activations x = activations_.view(rows, cols);
    x.values = values;
    return x;
  }

  std::byte* of(const Worker& worker) { return matmul_[static_cast<std::size_t>(worker.index)].data(); }
  AdapterScratch& adapters_of(const Worker& worker) {
    return adapters_[static_cast<std::size_t>(worker.index)];
  }

 private:
  ActivationBuffer activations_;
  std::vector<AlignedBytes> matmul_;      // one per thread
  std::vector<AdapterScratch> adapters_;  // likewise
};

/// Where rows of logits, or of other values, are written, and the maxima of their logit tiles.
struct RowOutput {
  float* logits = nullptr;  // [rows][ld]
  std::size_t ld = 0;
  float* maxima = nullptr;  // [rows][tiles]; null: not needed
  std::size_t tiles = 0;
  std::span<const AdapterSet* const> adapters = {};  // [rows], null for rows without; empty: no row has any
};

/// A linear layer, or a matrix without a bias; a soft cap of its outputs. They must outlive the view.
struct LinearView {
  LinearView(const Linear& linear, float cap = 0)
      : weight(linear.weight), bias(linear.bias), softcap(cap), whole(&linear) {}
  LinearView(const PackedMatrix& matrix, float cap = 0) : weight(matrix), softcap(cap) {}
  const PackedMatrix& weight;
  std::span<const float> bias;    // [rows] or empty
  float softcap = 0;              // > 0: outputs y become softcap * tanh(y / softcap)
  const Linear* whole = nullptr;  // null: adapters cannot change it
};

/// out.logits = W x + b, capped. All workers call it together; x must be complete before, `out` is after.
void multiply(const Worker& worker, const LinearView& linear, const Activations& x, const Kernels& kernels,
              ProductScratch& scratch, const RowOutput& out);

/// The same without maxima for panels [first, last), by one worker without a barrier. The rows of x must be
/// quantized already if the matrix is.
void multiply_panels(const Worker& worker, const LinearView& linear, std::size_t first, std::size_t last,
                     const Activations& x, const Kernels& kernels, ProductScratch& scratch,
                     const RowOutput& out);

/// The maxima of consecutive logit tiles, the first of which begins at logits[0]. logits: to the end of the
/// row; the last tile of a row may be shorter.
void tile_maxima(std::span<const float> logits, std::span<float> maxima, const Kernels& kernels);

/// y[16 p + i] = W[16 p + i] . x for the panels p in `which` and the first row of x; each panel is prefetched
/// while the previous one is multiplied. scratch: as in Kernels::matmul.
void multiply_listed(const PackedMatrix& w, std::span<const std::uint32_t> which, Activations x,
                     const Kernels& kernels, std::byte* scratch, float* y);

}  // namespace partita::internal
