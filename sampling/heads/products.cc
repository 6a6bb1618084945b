#include "sampling/heads/products.h"

namespace partita::internal {

void multiply_panels(const Worker& worker, const Linear& linear, std::size_t first, std::size_t last,
                     const Activations& x, const Kernels& kernels, ProductScratch& scratch, float* y,
                     std::size_t ld) {
  if (first >= last) return;
  kernels.matmul(linear.weight, {first, last}, x, y, ld, scratch.of(worker));
  if (linear.bias.empty()) return;
  const std::size_t begin = first * kPanelRows, end = std::min(last * kPanelRows, linear.weight.rows);
  for (std::size_t r = 0; r < x.rows; ++r)
    kernels.add(linear.bias.data() + begin, end - begin, y + r * ld + begin);
}

void multiply(const Worker& worker, const Linear& linear, const Activations& x, const Kernels& kernels,
              ProductScratch& scratch, float* y, std::size_t ld) {
  if (linear.weight.quantized()) {
    const auto [first, last] = worker.share(x.rows);
    kernels.quantize(x, first, last);
    worker.wait();
  }
  const auto [first, last] = worker.share(linear.weight.panels(), kTilePanels);
  multiply_panels(worker, linear, first, last, x, kernels, scratch, y, ld);
  worker.wait();
}

void multiply_listed(const PackedMatrix& w, std::span<const std::uint32_t> which, Activations x,
                     const Kernels& kernels, std::byte* scratch, float* y) {
  x.rows = 1;
  for (std::size_t i = 0; i < which.size(); ++i) {
    const std::size_t panel = which[i], next = which[std::min(i + 1, which.size() - 1)];
    kernels.matmul(w, {panel, panel + 1, next}, x, y, 0, scratch);
  }
}

}  // namespace partita::internal
