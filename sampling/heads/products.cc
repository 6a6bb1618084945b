#include "sampling/heads/products.h"

namespace partita::internal {

void multiply_panels(const Worker& worker, const LinearView& linear, std::size_t first, std::size_t last,
                     const Activations& x, const Kernels& kernels, ProductScratch& scratch,
                     const RowOutput& out) {
  if (first >= last) return;
  kernels.matmul(linear.weight, {first, last}, x, out.logits, out.ld, scratch.of(worker));
  const std::size_t begin = first * kPanelRows, end = std::min(last * kPanelRows, linear.weight.rows);
  for (std::size_t r = 0; r < x.rows && !linear.bias.empty(); ++r)
    kernels.add(linear.bias.data() + begin, end - begin, out.logits + r * out.ld + begin);
  for (std::size_t r = 0; r < out.adapters.size(); ++r) {
    if (out.adapters[r] == nullptr) continue;
    add_changes(kernels, *out.adapters[r], *linear.whole, x.values + r * x.cols, 1, {first, last},
                out.logits + r * out.ld, out.ld, scratch.adapters_of(worker));
  }
  for (std::size_t r = 0; r < x.rows && linear.softcap > 0; ++r)
    kernels.soft_cap(linear.softcap, end - begin, out.logits + r * out.ld + begin);
}

void multiply(const Worker& worker, const LinearView& linear, const Activations& x, const Kernels& kernels,
              ProductScratch& scratch, const RowOutput& out) {
  if (linear.weight.quantized()) {
    const auto [first, last] = worker.share(x.rows);
    kernels.quantize(x, first, last);
    worker.wait();
  }
  const auto [first, last] = worker.share(linear.weight.panels(), kTilePanels);
  if (out.maxima == nullptr) {
    multiply_panels(worker, linear, first, last, x, kernels, scratch, out);
  } else {
    // One logit tile at a time, so that it is in the L1 cache when its maximum is computed.
    for (std::size_t panel = first; panel < last; panel += kTilePanels) {
      multiply_panels(worker, linear, panel, std::min(panel + kTilePanels, last), x, kernels, scratch, out);
      const std::size_t id = panel * kPanelRows, n = std::min(kLogitTile, linear.weight.rows - id);
      for (std::size_t r = 0; r < x.rows; ++r) {
        out.maxima[r * out.tiles + panel / kTilePanels] = kernels.max(out.logits + r * out.ld + id, n);
      }
    }
  }
  worker.wait();
}

void tile_maxima(std::span<const float> logits, std::span<float> maxima, const Kernels& kernels) {
  for (std::size_t b = 0; b < maxima.size(); ++b) {
    const std::size_t first = b * kLogitTile;
    maxima[b] = kernels.max(logits.data() + first, std::min(kLogitTile, logits.size() - first));
  }
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
