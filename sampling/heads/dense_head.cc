// The dense LM head: one matrix product gives every logit of every row.
#include <algorithm>

#include "sampling/heads/heads.h"
#include "sampling/heads/products.h"
#include "sampling/heads/row_head.h"

namespace partita::internal {
namespace {

class DenseScratch : public SourceScratch {
 public:
  DenseScratch(std::size_t rows, std::size_t cols, int threads) : products(rows, cols, threads) {}
  ProductScratch products;
};

class DenseSource : public LogitSource {
 public:
  DenseSource(const PackedMatrix& matrix, const Kernels& kernels) : matrix_(matrix), kernels_(kernels) {}

  std::size_t vocab_size() const override { return matrix_.rows; }
  std::size_t hidden_size() const override { return matrix_.cols; }
  std::size_t bytes() const override { return matrix_.bytes(); }

  std::unique_ptr<SourceScratch> make_scratch(std::size_t rows, int threads) const override {
    auto scratch = std::make_unique<DenseScratch>(rows, matrix_.cols, threads);
    if (!scratch->products.ok()) return nullptr;
    return scratch;
  }

  void rows(const Worker& worker, const float* hidden, std::size_t rows, SourceScratch& scratch,
            const RowOutput& out) const override;

 private:
  const PackedMatrix& matrix_;
  const Kernels& kernels_;
};

void DenseSource::rows(const Worker& worker, const float* hidden, std::size_t rows,
                       SourceScratch& source_scratch, const RowOutput& out) const {
  ProductScratch& products = static_cast<DenseScratch&>(source_scratch).products;
  const Activations x = products.view(hidden, rows, matrix_.cols);
  if (matrix_.quantized()) {
    const auto [first, last] = worker.share(rows);
    kernels_.quantize(x, first, last);
    worker.wait();
  }
  const auto [first, last] = worker.share(matrix_.panels(), kTilePanels);
  std::byte* own = products.of(worker);
  if (out.maxima == nullptr) {
    kernels_.matmul(matrix_, {first, last}, x, out.logits, out.ld, own);
  } else {
    // One logit tile at a time, so that it is in the L1 cache when its maximum is computed.
    for (std::size_t panel = first; panel < last; panel += kTilePanels) {
      kernels_.matmul(matrix_, {panel, std::min(panel + kTilePanels, last)}, x, out.logits, out.ld, own);
      const std::size_t id = panel * kPanelRows;
      const std::size_t n = std::min(kLogitTile, matrix_.rows - id);
      for (std::size_t r = 0; r < rows; ++r) {
        out.maxima[r * out.tiles + id / kLogitTile] = kernels_.max(out.logits + r * out.ld + id, n);
      }
    }
  }
  worker.wait();
}

}  // namespace

std::unique_ptr<OutputHead> make_dense_head(const PackedMatrix& matrix, const Kernels& kernels) {
  return make_row_head(std::make_unique<DenseSource>(matrix, kernels), kernels);
}

}  // namespace partita::internal
