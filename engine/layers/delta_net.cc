#include "engine/layers/delta_net.h"

#include <algorithm>
#include <cstddef>

#include "engine/layers/causal_conv.h"
#include "engine/layers/products.h"
#include "engine/layers/recurrence.h"

namespace partita::internal {
namespace {

/// The matrix that norm(ws.x) is multiplied by, and where its rows go: a low rank, or the result.
Product first_product(const Linear& low, FloatBuffer& low_rows, const Linear& full, FloatBuffer& rows) {
  return low.weight.rows > 0 ? Product{low, low_rows} : Product{full, rows};
}

/// The second product of a matrix of low rank.
void expand(const Worker& worker, Workspace& ws, const Linear& low, FloatBuffer& low_rows, const Linear& full,
            FloatBuffer& rows) {
  if (low.weight.rows == 0) return;
  worker.wait();  // for low_rows, and for the activations before them
  multiply(worker, ws, activations_of(worker, ws, full, low_rows), {{full, rows}});
}

void project(const Worker& worker, Workspace& ws, const Norm& pre, const DeltaNet& net) {
  DeltaBuffers& to = ws.delta;
  const Product decay = first_product(net.decay_low, to.decay_low, net.decay, to.decay);
  const Product gate = first_product(net.gate_low, to.gate_low, net.gate, ws.gate);
  const Activations x =
      normed(worker, ws, pre, ws.x, {&net.q, &net.k, &net.v, &net.beta, &decay.linear, &gate.linear});
  multiply(worker, ws, x, {{net.q, ws.q}, {net.k, ws.k}, {net.v, ws.v}, {net.beta, to.beta}, decay, gate});
  expand(worker, ws, net.decay_low, to.decay_low, net.decay, to.decay);
  expand(worker, ws, net.gate_low, to.gate_low, net.gate, ws.gate);
}

/// Calls f(rows, i) for the worker's share of sequences and i in [0, parts). Every worker has nearly as many
/// tokens, however long the sequences of the step are.
template <class F>
void for_own_parts(const Worker& worker, const Workspace& ws, std::size_t parts, F&& f) {
  const std::size_t sequences = ws.sequences.size();
  const auto [first, last] = worker.share(sequences * parts);
  for (std::size_t i = first; i < last; ++i) f(ws.sequences[i % sequences], i / sequences);
}

/// One layer in one step, after the projections.
class DeltaStep {
 public:
  DeltaStep(const Worker& worker, Workspace& ws, const DeltaNet& net)
      : worker_(worker), ws_(ws), net_(net), kernels_(ws.model.kernels()) {}

  /// Queries, keys, values, decays and betas of all rows.
  void prepare() {
    const std::size_t keys = net_.key_heads;
    for_own_parts(worker_, ws_, 2 * keys + net_.heads, [&](const QueryRange& rows, std::size_t i) {
      const std::size_t k_offset = net_.conv_offset() + net_.q_conv.state_bytes();
      if (i < keys) {
        convolve_head({net_.q_conv, net_.conv_offset(), ws_.q, &net_.q_norm, net_.widths.key}, rows, i);
      } else if (i < 2 * keys) {
        convolve_head({net_.k_conv, k_offset, ws_.k, &net_.k_norm, net_.widths.key}, rows, i - keys);
      } else {
        convolve_head({net_.v_conv, k_offset + net_.k_conv.state_bytes(), ws_.v, nullptr, net_.widths.value},
                      rows, i - 2 * keys);
      }
    });
    const auto [first, last] = worker_.share(ws_.rows.size());
    for (std::size_t r = first; r < last; ++r) {
      float* beta = ws_.delta.beta.row(r, net_.heads);
      kernels_.gate(GateFunction::kSigmoid, beta, ws_.ones.data(), net_.heads, beta);
      float* decay = ws_.delta.decay.row(r, decays());
      kernels_.decay(decay, net_.decay_bias.data(), net_.decay_rate.data(), decays(), decay);
    }
  }

  /// The states, and ws.mixed.
  void advance() {
    for_own_parts(worker_, ws_, net_.heads,
                  [&](const QueryRange& rows, std::size_t head) { advance_head(rows, head); });
  }

 private:
  /// One of the three convolutions.
  struct Stream {
    const CausalConv& conv;
    std::size_t offset;  // of its state
    FloatBuffer& rows;
    const Norm* norm;
    std::size_t width;  // of a head
  };

  std::size_t decays() const { return net_.decay_rate.size(); }

  void convolve_head(const Stream& stream, const QueryRange& range, std::size_t head) {
    const StateStep step = ws_.rows[range.row].sequence->state_step(net_.state, range.tokens);
    const std::size_t columns = stream.conv.columns, first = head * stream.width;
    float* x = stream.rows.row(range.row, columns);
    convolve(stream.conv, step, stream.offset, {x, columns, range.tokens, first, first + stream.width});
    for (std::size_t t = 0; t < range.tokens; ++t) {
      float* row = x + t * columns + first;
      kernels_.gate(GateFunction::kSilu, row, ws_.ones.data(), stream.width, row);
      if (stream.norm != nullptr) apply(ws_, *stream.norm, row, row);
    }
  }

  void advance_head(const QueryRange& range, std::size_t head) {
    const StateStep step = ws_.rows[range.row].sequence->state_step(net_.state, range.tokens);
    const std::size_t bytes = net_.head_bytes(), width = net_.widths.value, ld = net_.v_width();
    float* out = ws_.mixed.row(range.row, ld) + head * width;
    run_part(step, head * bytes, bytes, range.tokens,
             [&](std::size_t first, std::size_t last, std::byte* state) {
               kernels_.delta_rule(tokens_of(range.row + first, last - first, head),
                                   reinterpret_cast<float*>(state), out + first * ld, ld);
             });
    for (std::size_t t = 0; t < range.tokens; ++t, out += ld) {
      apply(ws_, net_.norm, out, out);
      kernels_.gate(net_.activation, ws_.gate.row(range.row + t, ld) + head * width, out, width, out);
    }
  }

  DeltaTokens tokens_of(std::size_t row, std::size_t count, std::size_t head) {
    const std::size_t key = net_.widths.key, value = net_.widths.value;
    const std::size_t key_head = net_.key_head(head), decay = net_.decay_of_key() ? head * key : head;
    const auto rows = [&](FloatBuffer& buffer, std::size_t columns, std::size_t first) {
      return FloatRows{buffer.row(row, columns) + first, columns};
    };
    return {.count = count,
            .keys = key,
            .values = value,
            .q = rows(ws_.q, net_.k_width(), key_head * key),
            .k = rows(ws_.k, net_.k_width(), key_head * key),
            .v = rows(ws_.v, net_.v_width(), head * value),
            .decay = rows(ws_.delta.decay, decays(), decay),
            .decay_of_key = net_.decay_of_key(),
            .beta = rows(ws_.delta.beta, net_.heads, head)};
  }

  const Worker& worker_;
  Workspace& ws_;
  const DeltaNet& net_;
  const Kernels& kernels_;
};

}  // namespace

void mix(const Worker& worker, Workspace& ws, const Norm& pre, const DeltaNet& net, bool outputs_only) {
  project(worker, ws, pre, net);
  worker.wait();
  DeltaStep step(worker, ws, net);
  step.prepare();
  worker.wait();
  step.advance();
  if (!outputs_only) return;
  worker.wait();
  if (worker.index == 0) ws.keep_output_rows(net.v_width());
  worker.wait();
}

}  // namespace partita::internal
