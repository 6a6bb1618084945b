#include "engine/layers/mamba.h"

#include <algorithm>

#include "engine/layers/products.h"
#include "engine/layers/recurrence.h"

namespace partita::internal {
namespace {

/// y = norm(x), or x without a norm; y may be x.
void norm_part(const Workspace& ws, const Vector& weight, float eps, const float* x, std::size_t n,
               float* y) {
  if (!weight.empty()) {
    ws.model.kernels().rms_norm(x, weight.data(), n, eps, y);
  } else if (x != y) {
    std::copy_n(x, n, y);
  }
}

/// ws.q = x and z, x after the convolution and SiLU.
void project_channels(const Worker& worker, Workspace& ws, const Norm& pre, const Mamba& m) {
  const Activations input = normed(worker, ws, pre, ws.x, {&m.in});
  multiply(worker, ws, input, {{m.in, ws.q}});
  const auto [first, last] = own_columns(worker, ws, m.in.weight);
  const std::size_t from = std::min<std::size_t>(first, m.width), to = std::min<std::size_t>(last, m.width);
  const std::size_t stride = m.projection_width();
  for (const QueryRange& rows : ws.sequences) {
    const StateStep step = ws.rows[rows.row].sequence->state_step(m.state, rows.tokens);
    convolve(m.conv, step, 0, {ws.q.row(rows.row, stride), stride, rows.tokens, from, to});
  }
  for (std::size_t r = 0; r < ws.rows.size(); ++r) {
    float* x = ws.q.row(r, stride) + from;
    ws.model.kernels().gate(GateFunction::kSilu, x, ws.ones.data(), to - from, x);
  }
}

/// ws.k = dt, b and c; ws.v = the steps.
void project_parameters(const Worker& worker, Workspace& ws, const Mamba& m) {
  const Activations x = make_activations(worker, ws, {&m.parameters}, nullptr, [&](std::size_t r, float* to) {
    std::copy_n(ws.q.row(r, m.projection_width()), m.width, to);
  });
  multiply(worker, ws, x, {{m.parameters, ws.k}});
  worker.wait();
  const std::size_t stride = m.parameters.weight.rows;
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) {
    float *b = ws.k.row(r, stride) + m.rank, *c = b + m.places;
    norm_part(ws, m.b_norm, m.norm_eps, b, m.places, b);
    norm_part(ws, m.c_norm, m.norm_eps, c, m.places, c);
  }
  const Activations dt = make_activations(worker, ws, {&m.steps}, nullptr, [&](std::size_t r, float* to) {
    norm_part(ws, m.dt_norm, m.norm_eps, ws.k.row(r, stride), m.rank, to);
  });
  multiply(worker, ws, dt, {{m.steps, ws.v}});
  const auto [from, to] = own_columns(worker, ws, m.steps.weight);
  for (std::size_t r = 0; r < ws.rows.size(); ++r) {
    float* step = ws.v.row(r, m.width) + from;
    ws.model.kernels().softplus(step, to - from, step);
  }
}

/// The recurrence of kScanChannels channels over the tokens of a sequence.
class TileScan {
 public:
  TileScan(Workspace& ws, const Mamba& m, const QueryRange& rows, std::size_t tile)
      : ws_(ws),
        m_(m),
        rows_(rows),
        tile_(tile),
        channel_(tile * kScanChannels),
        count_(std::min<std::size_t>(kScanChannels, m.width - channel_)) {}

  void run() {
    const StateStep step = ws_.rows[rows_.row].sequence->state_step(m_.state, rows_.tokens);
    const std::size_t bytes = m_.tile_size() * sizeof(float);
    run_recurrence(
        step, m_.scan_offset() + tile_ * bytes, bytes, rows_.tokens,
        [&](std::size_t t, std::byte* state) { token(rows_.row + t, reinterpret_cast<float*>(state)); });
  }

 private:
  void token(std::size_t r, float* state) {
    const Kernels& kernels = ws_.model.kernels();
    const float* x = ws_.q.row(r, m_.projection_width()) + channel_;
    const float* z = x + m_.width;
    const float* b = ws_.k.row(r, m_.parameters.weight.rows) + m_.rank;
    float step[kScanChannels] = {}, input[kScanChannels] = {}, y[kScanChannels];
    std::copy_n(ws_.v.row(r, m_.width) + channel_, count_, step);
    for (std::size_t i = 0; i < count_; ++i) input[i] = step[i] * x[i];
    float decays[Mamba::kMaxPlaces * kScanChannels];
    const float* a = m_.a.data() + tile_ * m_.tile_size();
    for (std::size_t k = 0; k < m_.tile_size(); k += kScanChannels) {
      for (std::size_t i = 0; i < kScanChannels; ++i) decays[k + i] = step[i] * a[k + i];
    }
    kernels.exp_sum(decays, m_.tile_size(), 0, 1, decays);
    kernels.scan(decays, kScanChannels, input, b, b + m_.places, m_.places, state, y);
    float* out = ws_.mixed.row(r, m_.width) + channel_;
    for (std::size_t i = 0; i < count_; ++i) out[i] = y[i] + m_.skip[channel_ + i] * x[i];
    kernels.gate(GateFunction::kSilu, z, out, count_, out);
  }

  Workspace& ws_;
  const Mamba& m_;
  const QueryRange& rows_;
  const std::size_t tile_, channel_, count_;
};

}  // namespace

void mix(const Worker& worker, Workspace& ws, const Norm& pre, const Mamba& m, bool outputs_only) {
  project_channels(worker, ws, pre, m);
  worker.wait();
  project_parameters(worker, ws, m);
  worker.wait();
  // Tiles first, so that every worker has as many tokens, however long the sequences of the step are.
  const std::size_t sequences = ws.sequences.size();
  const auto [first, last] = worker.share(sequences * m.tiles());
  for (std::size_t i = first; i < last; ++i)
    TileScan(ws, m, ws.sequences[i % sequences], i / sequences).run();
  if (!outputs_only) return;
  worker.wait();
  if (worker.index == 0) ws.keep_output_rows(m.width);
}

}  // namespace partita::internal
