#include "engine/layers/rwkv7.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>

#include "engine/layers/products.h"
#include "engine/layers/recurrence.h"
#include "engine/layers/token_shift.h"

namespace partita::internal {
namespace {

constexpr double kDecayRate = -0.606531;  // that of the published models: -e^(-1/2)

/// One or two products with the rows of one stream; complete after the next barrier.
void project(const Worker& worker, Workspace& ws, const Rwkv7& m, Rwkv7::Stream stream,
             std::initializer_list<Product> products) {
  worker.wait();  // for ws.y, and for the activations of the stream before
  const LastRow kept{m.state, m.row_offset()};
  const Activations x =
      make_activations(worker, ws, {&products.begin()->linear, &(products.end() - 1)->linear}, nullptr,
                       [&](std::size_t r, float* to) { shift_row(ws, kept, m.shift_of(stream), r, to); });
  multiply(worker, ws, x, products);
}

/// out = the second product of `low`, of function(n, from, to) of the first; complete after the next barrier.
template <class Function>
void expand(const Worker& worker, Workspace& ws, const LowRank& low, FloatBuffer& from, FloatBuffer& out,
            Function&& function) {
  const std::size_t rank = low.up.weight.cols;
  if (rank == 0) return;
  worker.wait();  // for `from`, and for the activations before it
  const Activations x = make_activations(worker, ws, {&low.up}, nullptr, [&](std::size_t r, float* to) {
    function(rank, from.row(r, rank), to);
  });
  multiply(worker, ws, x, {{low.up, out}});
}

/// ws.q = r, ws.k, ws.v (of the first layer: first_values), decays and rates before their functions, ws.up =
/// mix before its sigmoid, ws.gate.
void project_all(const Worker& worker, Workspace& ws, const Rwkv7& m) {
  Rwkv7Buffers& to = ws.rwkv7;
  project(worker, ws, m, Rwkv7::kReceptance, {{m.r, ws.q}});
  project(worker, ws, m, Rwkv7::kDecay, {{m.decay.down, to.decay_low}});
  project(worker, ws, m, Rwkv7::kKey, {{m.k, ws.k}});
  project(worker, ws, m, Rwkv7::kValue,
          {{m.v, m.first() ? to.first_values : ws.v}, {m.mix.down, to.mix_low}});
  project(worker, ws, m, Rwkv7::kRate, {{m.rate.down, to.rate_low}});
  project(worker, ws, m, Rwkv7::kGate, {{m.gate.down, to.gate_low}});
  const Kernels& kernels = ws.model.kernels();
  const auto same = [](std::size_t n, const float* x, float* y) { std::copy_n(x, n, y); };
  expand(worker, ws, m.decay, to.decay_low, to.decay, [&](std::size_t n, const float* x, float* y) {
    std::copy_n(x, n, y);
    kernels.soft_cap(1, n, y);  // tanh
  });
  expand(worker, ws, m.rate, to.rate_low, to.rate, same);
  expand(worker, ws, m.mix, to.mix_low, ws.up, same);
  expand(worker, ws, m.gate, to.gate_low, ws.gate, [&](std::size_t n, const float* x, float* y) {
    kernels.gate(GateFunction::kSigmoid, x, ws.ones.data(), n, y);
  });
}

/// The recurrence of one head over the tokens of a sequence.
class HeadRecurrence {
 public:
  HeadRecurrence(Workspace& ws, const Rwkv7& m, const QueryRange& rows, std::size_t head)
      : ws_(ws), m_(m), rows_(rows), head_(head), size_(m.head_dim), kernels_(ws.model.kernels()) {}

  void run() {
    const StateStep step = ws_.rows[rows_.row].sequence->state_step(m_.state, rows_.tokens);
    run_recurrence(
        step, head_ * m_.head_bytes(), m_.head_bytes(), rows_.tokens,
        [&](std::size_t t, std::byte* state) { token(rows_.row + t, reinterpret_cast<float*>(state)); });
  }

 private:
  /// What the state needs of a token besides v: [head_dim] each.
  struct Keys {
    float decays[Rwkv7::kMaxHead * kScanChannels];  // each kScanChannels times
    float remove[Rwkv7::kMaxHead];                  // u
    float undo[Rwkv7::kMaxHead];                    // u * a
    float add[Rwkv7::kMaxHead];                     // the key of v
  };

  float* part(FloatBuffer& rows, std::size_t r) { return rows.row(r, m_.width()) + head_ * size_; }
  const float* of_head(const Vector& values) const { return values.data() + head_ * size_; }
  void sigmoid(float* x) { kernels_.gate(GateFunction::kSigmoid, x, ws_.ones.data(), size_, x); }

  void token(std::size_t r, float* state) {
    Keys keys;
    fill(r, keys);
    const float *q = part(ws_.q, r), *v = values(r);
    float* out = part(ws_.mixed, r);
    for (std::size_t tile = 0; tile < m_.tiles(); ++tile) {
      const std::size_t at = tile * kScanChannels;
      advance(keys, q, v + at, std::min(kScanChannels, size_ - at), state + tile * m_.tile_size(), out + at);
    }
    float weight = 0;
    for (std::size_t i = 0; i < size_; ++i) weight += keys.add[i] * q[i] * of_head(m_.bonus)[i];
    m_.norm.apply(kernels_, out, out, head_);
    const float* gate = part(ws_.gate, r);
    for (std::size_t i = 0; i < size_; ++i) out[i] = (out[i] + weight * v[i]) * gate[i];
  }

  void fill(std::size_t r, Keys& keys) {
    float *decay = part(ws_.rwkv7.decay, r), *a = part(ws_.rwkv7.rate, r);
    sigmoid(decay);
    kernels_.exp_sum(decay, size_, 0, kDecayRate, decay);
    sigmoid(a);
    const float* k = part(ws_.k, r);
    for (std::size_t i = 0; i < size_; ++i) {
      std::fill_n(keys.decays + i * kScanChannels, kScanChannels, decay[i]);
      keys.remove[i] = k[i] * of_head(m_.key_scale)[i];
      keys.add[i] = k[i] + (a[i] - 1) * (k[i] * of_head(m_.rate_scale)[i]);
    }
    m_.unit.apply(kernels_, keys.remove, keys.remove);
    for (std::size_t i = 0; i < size_; ++i) keys.undo[i] = keys.remove[i] * a[i];
  }

  /// The values of row r, with a share of those of the first layer.
  const float* values(std::size_t r) {
    const float* first = part(ws_.rwkv7.first_values, r);
    if (m_.first()) return first;
    float *v = part(ws_.v, r), *share = part(ws_.up, r);
    sigmoid(share);
    for (std::size_t i = 0; i < size_; ++i) v[i] += (first[i] - v[i]) * share[i];
    return v;
  }

  /// `count` values of one token.
  void advance(const Keys& keys, const float* q, const float* v, std::size_t count, float* state,
               float* out) {
    constexpr auto kOnes = [] {
      std::array<float, kScanChannels> ones;
      ones.fill(1);
      return ones;
    }();
    float added[kScanChannels] = {}, seen[kScanChannels] = {}, y[kScanChannels];
    kernels_.scan(kOnes.data(), 0, seen, keys.remove, keys.remove, size_, state, y);  // changes nothing
    for (std::size_t i = 0; i < kScanChannels; ++i) seen[i] = -y[i];
    std::copy_n(v, count, added);
    kernels_.scan(keys.decays, kScanChannels, added, keys.add, q, size_, state, y);
    kernels_.scan(kOnes.data(), 0, seen, keys.undo, q, size_, state, y);
    std::copy_n(y, count, out);
  }

  Workspace& ws_;
  const Rwkv7& m_;
  const QueryRange& rows_;
  const std::size_t head_, size_;
  const Kernels& kernels_;
};

}  // namespace

void mix(const Worker& worker, Workspace& ws, const Norm& pre, const Rwkv7& m, bool outputs_only) {
  norm_to_shift(worker, ws, pre, {m.state, m.row_offset()});
  project_all(worker, ws, m);
  worker.wait();
  // Heads first, so that every worker has as many tokens, however long the sequences of the step are.
  const std::size_t sequences = ws.sequences.size();
  const auto [first, last] = worker.share(sequences * m.heads);
  for (std::size_t i = first; i < last; ++i)
    HeadRecurrence(ws, m, ws.sequences[i % sequences], i / sequences).run();
  if (!outputs_only) return;
  worker.wait();
  if (worker.index == 0) ws.keep_output_rows(m.width());
}

}  // namespace partita::internal
