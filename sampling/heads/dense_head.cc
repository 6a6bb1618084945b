// The dense LM head: one matrix product gives every logit of every row.
#include <memory>

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
  DenseSource(const LinearView& linear, const Kernels& kernels) : linear_(linear), kernels_(kernels) {}

  std::size_t vocab_size() const override { return linear_.weight.rows; }
  std::size_t hidden_size() const override { return linear_.weight.cols; }
  std::size_t bytes() const override { return linear_.weight.bytes() + linear_.bias.size_bytes(); }

  std::unique_ptr<SourceScratch> make_scratch(std::size_t rows, int threads) const override {
    auto scratch = std::make_unique<DenseScratch>(rows, hidden_size(), threads);
    if (!scratch->products.ok()) return nullptr;
    return scratch;
  }

  bool prepare(const AdapterSet& set, SourceScratch& scratch) const override {
    return static_cast<DenseScratch&>(scratch).products.grow_to(set);
  }

  void rows(const Worker& worker, const float* hidden, std::size_t rows, SourceScratch& scratch,
            const RowOutput& out) const override;

 private:
  const LinearView linear_;
  const Kernels& kernels_;
};

void DenseSource::rows(const Worker& worker, const float* hidden, std::size_t rows,
                       SourceScratch& source_scratch, const RowOutput& out) const {
  ProductScratch& products = static_cast<DenseScratch&>(source_scratch).products;
  const Activations x = products.view(hidden, rows, hidden_size());
  multiply(worker, linear_, x, kernels_, products, out);
}

}  // namespace

std::unique_ptr<OutputHead> make_dense_head(const LinearView& linear, const Kernels& kernels) {
  return make_row_head(std::make_unique<DenseSource>(linear, kernels), kernels);
}

}  // namespace partita::internal
