#include "engine/layers/laurel.h"

#include <cstddef>

#include "engine/layers/products.h"

namespace partita::internal {

void add_laurel(const Worker& worker, Workspace& ws, const Norm& pre, const Laurel& laurel) {
  const Activations n = normed(worker, ws, pre, ws.x, {&laurel.left});  // its values stay until the next norm
  multiply(worker, ws, n, {{laurel.left, ws.gate}});
  worker.wait();
  multiply(worker, ws, activations_of(worker, ws, laurel.right, ws.gate), {{laurel.right, ws.y}});
  worker.wait();
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) {
    float* const y = ws.y.row(r);
    apply(ws, laurel.post, y, y);
    ws.model.kernels().add(n.values + r * n.cols, n.cols, y);
    ws.model.kernels().add(y, n.cols, ws.x.row(r));
  }
  worker.wait();
}

}  // namespace partita::internal
