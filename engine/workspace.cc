#include "engine/workspace.h"

#include <algorithm>

namespace partita::internal {
namespace {

std::size_t widest(const Config& c) {
  return std::max<std::size_t>({c.hidden_size, c.ffn_size, std::size_t{c.heads} * c.head_dim});
}

}  // namespace

Workspace::Workspace(const Transformer& of, int thread_count, std::size_t row_count)
    : model(of), threads(thread_count), max_rows(row_count) {
  const Config& c = model.config();
  const std::size_t q_width = std::size_t{c.heads} * c.head_dim,
                    kv_width = std::size_t{c.kv_heads} * c.head_dim;
  rows.reserve(max_rows);
  output_rows.reserve(max_rows);
  attention_plan.ranges.reserve(max_rows);
  output_attention.ranges.reserve(max_rows);
  x = FloatBuffer(max_rows, c.hidden_size);
  y = FloatBuffer(max_rows, c.hidden_size);
  q = FloatBuffer(max_rows, q_width);
  k = FloatBuffer(max_rows, kv_width);
  v = FloatBuffer(max_rows, kv_width);
  attention = FloatBuffer(max_rows, q_width);
  gate = FloatBuffer(max_rows, c.ffn_size);
  up = FloatBuffer(max_rows, c.ffn_size);
  for (std::size_t i = 0; i < c.rope.size(); ++i) {
    cos.emplace_back(max_rows, c.head_dim / 2);
    sin.emplace_back(max_rows, c.head_dim / 2);
  }
  shared_activations = ActivationBuffer(max_rows, widest(c));
  for (int t = 0; t < threads; ++t) {
    own_activations.emplace_back(kMaxRedundantRows, widest(c));
    matmul.emplace_back(matmul_scratch_bytes(widest(c)));
    attend.emplace_back(c.head_dim);
  }
}

void Workspace::keep_output_rows() {
  std::size_t tiled = 0;
  for (std::size_t i = 0; i < output_rows.size(); ++i) {
    const std::size_t r = output_rows[i];  // >= i
    tiled += r < tiled_rows;
    if (r == i) continue;
    rows[i] = rows[r];
    std::copy_n(x.row(r), x.cols(), x.row(i));
    for (std::size_t base = 0; base < cos.size(); ++base) {
      std::copy_n(cos[base].row(r), cos[base].cols(), cos[base].row(i));
      std::copy_n(sin[base].row(r), sin[base].cols(), sin[base].row(i));
    }
  }
  rows.resize(output_rows.size());
  tiled_rows = tiled;
}

bool Workspace::ok() const {
  const auto good = [](const auto& all) {
    return std::all_of(all.begin(), all.end(), [](const auto& b) { return b.ok(); });
  };
  const FloatBuffer* buffers[] = {&x, &y, &q, &k, &v, &attention, &gate, &up};
  return std::all_of(std::begin(buffers), std::end(buffers), [](const FloatBuffer* b) { return b->ok(); }) &&
         good(cos) && good(sin) && shared_activations.ok() && good(own_activations) && good(attend) &&
         std::all_of(matmul.begin(), matmul.end(), [](const AlignedBytes& b) { return b.data() != nullptr; });
}

}  // namespace partita::internal
