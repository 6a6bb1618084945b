#include "engine/layers/mamba2.h"

#include <algorithm>
#include <cmath>

#include "engine/layers/products.h"
#include "engine/layers/recurrence.h"

namespace partita::internal {
namespace {

/// The convolution with SiLU, and softplus, in the worker's own columns of `in`.
void prepare_columns(const Worker& worker, Workspace& ws, const Mamba2& m) {
  const Kernels& kernels = ws.model.kernels();
  const std::size_t stride = m.projection_width(), conv_begin = m.width();
  const std::size_t conv_end = conv_begin + m.conv.columns;
  const auto [first, last] = own_columns(worker, ws, m.in.weight);
  const std::size_t from = std::clamp(first, conv_begin, conv_end);
  const std::size_t to = std::clamp(last, conv_begin, conv_end);
  const std::size_t steps_from = std::max(first, conv_end), steps_to = std::max(last, conv_end);
  for (const QueryRange& rows : ws.sequences) {
    const StateStep step = ws.rows[rows.row].sequence->state_step(m.state, rows.tokens);
    float* const x = ws.q.row(rows.row, stride) + conv_begin;
    convolve(m.conv, step, 0, {x, stride, rows.tokens, from - conv_begin, to - conv_begin});
  }
  for (std::size_t r = 0; r < ws.rows.size(); ++r) {
    float* row = ws.q.row(r, stride);
    kernels.gate(GateFunction::kSilu, row + from, ws.ones.data(), to - from, row + from);
    kernels.add(m.step_bias.data() + (steps_from - conv_end), steps_to - steps_from, row + steps_from);
    kernels.softplus(row + steps_from, steps_to - steps_from, row + steps_from);
  }
}

/// The recurrence of one head over the tokens of a sequence.
class HeadScan {
 public:
  HeadScan(Workspace& ws, const Mamba2& m, const QueryRange& rows, std::size_t head)
      : ws_(ws), m_(m), rows_(rows), head_(head) {}

  void run() {
    const StateStep step = ws_.rows[rows_.row].sequence->state_step(m_.state, rows_.tokens);
    run_recurrence(step, m_.scan_offset() + head_ * m_.head_bytes(), m_.head_bytes(), rows_.tokens,
                   [&](std::size_t t, std::byte* state) { token(t, reinterpret_cast<float*>(state)); });
  }

 private:
  void token(std::size_t t, float* state) {
    const Kernels& kernels = ws_.model.kernels();
    const std::size_t width = m_.width(), group = head_ * m_.groups / m_.heads;
    const float* z = ws_.q.row(rows_.row + t, m_.projection_width()) + head_ * m_.head_dim;
    const float* x = z + width;
    const float* b = z - head_ * m_.head_dim + 2 * width + group * m_.places;
    const float* c = b + std::size_t{m_.groups} * m_.places;
    const float step = (z - head_ * m_.head_dim)[width + m_.conv.columns + head_];
    float* out = ws_.mixed.row(rows_.row + t, width) + head_ * m_.head_dim;
    float decay[kScanChannels], input[kScanChannels] = {}, y[kScanChannels];
    std::fill_n(decay, kScanChannels, std::exp(step * m_.a[head_]));
    for (std::size_t at = 0; at < m_.head_dim; at += kScanChannels, state += m_.tile_size()) {
      const std::size_t count = std::min<std::size_t>(kScanChannels, m_.head_dim - at);
      for (std::size_t i = 0; i < count; ++i) input[i] = step * x[at + i];
      std::fill(input + count, input + kScanChannels, 0.0F);
      kernels.scan(decay, 0, input, b, c, m_.places, state, y);
      for (std::size_t i = 0; i < count; ++i) out[at + i] = y[i] + m_.skip[head_] * x[at + i];
    }
    kernels.gate(GateFunction::kSilu, z, out, m_.head_dim, out);
  }

  Workspace& ws_;
  const Mamba2& m_;
  const QueryRange& rows_;
  const std::size_t head_;
};

/// The norm of each group of channels, in the worker's own rows of ws.mixed.
void norm_groups(const Worker& worker, Workspace& ws, const Mamba2& m) {
  const std::size_t size = m.width() / m.groups;
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) {
    for (std::size_t g = 0; g < m.groups; ++g) {
      float* group = ws.mixed.row(r, m.width()) + g * size;
      ws.model.kernels().rms_norm(group, m.norm.data() + g * size, size, m.norm_eps, group);
    }
  }
}

}  // namespace

void mix(const Worker& worker, Workspace& ws, const Norm& pre, const Mamba2& m, bool outputs_only) {
  const Activations x = normed(worker, ws, pre, ws.x, {&m.in});
  multiply(worker, ws, x, {{m.in, ws.q}});
  prepare_columns(worker, ws, m);
  worker.wait();
  // Heads first, so that every worker has as many tokens, however long the sequences of the step are.
  const std::size_t sequences = ws.sequences.size();
  const auto [first, last] = worker.share(sequences * m.heads);
  for (std::size_t i = first; i < last; ++i)
    HeadScan(ws, m, ws.sequences[i % sequences], i / sequences).run();
  if (!m.norm.empty()) {
    worker.wait();
    norm_groups(worker, ws, m);
  }
  if (!outputs_only) return;
  worker.wait();
  if (worker.index == 0) ws.keep_output_rows(m.width());
}

}  // namespace partita::internal
