#include "engine/block.h"

#include <algorithm>
#include <cstddef>

#include "engine/layers/altup.h"
#include "engine/layers/attention_and_mamba2.h"
#include "engine/layers/delta_net.h"
#include "engine/layers/ffn.h"
#include "engine/layers/laurel.h"
#include "engine/layers/layer.h"
#include "engine/layers/mamba.h"
#include "engine/layers/mamba2.h"
#include "engine/layers/mla.h"
#include "engine/layers/moe.h"
#include "engine/layers/products.h"
#include "engine/layers/rwkv7.h"
#include "engine/layers/self_attention.h"
#include "engine/layers/short_conv.h"
#include "engine/layers/token_input.h"
#include "engine/layers/token_shift.h"
#include "engine/number_watch.h"

namespace partita::internal {
namespace {

/// ws.x += scale * ws.y in columns [first, last) of row r.
void add_scaled(Workspace& ws, float scale, std::size_t r, std::size_t first, std::size_t last) {
  float* y = ws.y.row(r);
  if (scale != 1) {
    for (std::size_t i = first; i < last; ++i) y[i] *= scale;
  }
  ws.model.kernels().add(y + first, last - first, ws.x.row(r) + first);
}

/// How rows y join the residual stream: x = after * (x + scale * norm(y)).
struct Residual {
  const Norm& norm;
  float scale = 1, after = 1;
};

/// Adds ws.y to ws.x in columns [first, last) of row r, without the norm.
void add_to_row(Workspace& ws, const Residual& how, std::size_t r, std::size_t first, std::size_t last) {
  add_scaled(ws, how.scale, r, first, last);
  float* x = ws.x.row(r);
  for (std::size_t i = first; how.after != 1 && i < last; ++i) x[i] *= how.after;
}

/// Adds ws.y to ws.x, in the worker's own rows.
void add_rows(const Worker& worker, Workspace& ws, const Residual& how) {
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) {
    if (!how.norm.empty()) apply(ws, how.norm, ws.y.row(r), ws.y.row(r));
    add_to_row(ws, how, r, 0, ws.y.cols());
  }
}

/// Adds ws.y to ws.x, of which the worker has the columns that come from its panels of `linear`.
void add_products(const Worker& worker, Workspace& ws, const Linear& linear, const Residual& how) {
  if (how.norm.empty()) {
    const auto [first, last] = own_columns(worker, ws, linear.weight);
    for (std::size_t r = 0; r < ws.rows.size(); ++r) add_to_row(ws, how, r, first, last);
    return;
  }
  worker.wait();
  add_rows(worker, ws, how);
}

/// Adds linear x to ws.x.
void add_to_residual(const Worker& worker, Workspace& ws, const Linear& linear, const Activations& x,
                     const Residual& how) {
  multiply(worker, ws, x, {{linear, ws.y}});
  add_products(worker, ws, linear, how);
}

/// The rows that the FFN reads, if not ws.x: ws.input = ws.x, in the worker's own rows.
void keep_input(const Worker& worker, Workspace& ws) {
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) std::copy_n(ws.x.row(r), ws.x.cols(), ws.input.row(r));
}

/// ws.x = 0, in the worker's own rows.
void clear_rows(const Worker& worker, Workspace& ws) {
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) std::fill_n(ws.x.row(r), ws.x.cols(), 0.0F);
}

/// Only the rows of outputs stay.
void mix(const Worker& worker, Workspace& ws, const Norm&, const NoMixer&, bool outputs_only) {
  if (outputs_only && worker.index == 0) ws.keep_output_rows();
}

/// Adds ffn(ffn_pre(rows)) to ws.x.
void feed_forward(const Worker& worker, Workspace& ws, const Layer& layer, FloatBuffer& rows) {
  const Residual how{layer.ffn_post, layer.residual_scale,
                     layer.token_input.empty() ? layer.output_scale : 1};
  if (const auto* moe = std::get_if<Moe>(&layer.ffn)) {
    mix_experts(worker, ws, layer.ffn_pre, rows, *moe);
    look(worker, ws, "the experts", ws.y, ws.y.cols());
    return add_products(worker, ws, moe->experts.front().down, how);
  }
  const Ffn& ffn = std::get<Ffn>(layer.ffn);
  feed(worker, ws, layer.ffn_pre, rows, ffn);
  worker.wait();
  look(worker, ws, "the activation of the FFN", ws.gate, ffn.width());
  const Activations fed = activations_of(worker, ws, ffn.down, ws.gate);
  add_to_residual(worker, ws, ffn.down, fed, how);
}

/// Adds what the layer makes of its inputs of each token to ws.x; with AltUp, ws.x becomes that (altup.h).
void add_token_input(const Worker& worker, Workspace& ws, const Layer& layer, std::size_t index) {
  gate_token_input(worker, ws, layer.token_input, index);
  worker.wait();
  if (!layer.altup.empty()) clear_rows(worker, ws);
  const Linear& proj = layer.token_input.proj;
  const Activations gated = activations_of(worker, ws, proj, ws.gate);
  add_to_residual(worker, ws, proj, gated, {layer.token_input.post, 1, layer.output_scale});
}

}  // namespace

void run_block(const Worker& worker, Workspace& ws, std::size_t index) {
  const Layer& layer = ws.model.layers()[index];
  const bool outputs_only = index >= ws.model.first_output_layer() && ws.output_rows.size() < ws.rows.size();
  if (!layer.altup.empty()) predict(worker, ws, layer.altup);
  const bool shifted = !layer.ffn_shift.empty();  // which reads every row
  std::visit([&](const auto& m) { mix(worker, ws, layer.pre, m, outputs_only && !shifted); }, layer.mixer);
  if (layer.parallel) keep_input(worker, ws);
  worker.wait();
  if (ws.rows.empty()) return;  // the last layer of a step without outputs
  if (!layer.laurel.empty()) add_laurel(worker, ws, layer.pre, layer.laurel);
  if (layer.has_mixer()) {
    const Linear& out = layer.out();
    look(worker, ws, layer.mixing(), ws.mixed, out.weight.cols);
    const Activations mixed = activations_of(worker, ws, out, ws.mixed);
    add_to_residual(worker, ws, out, mixed, {layer.post, layer.residual_scale, layer.mixed_scale});
    worker.wait();
  }
  if (!layer.has_ffn()) return;
  if (shifted) shift_tokens(worker, ws, layer.ffn_shift, outputs_only);
  if (ws.rows.empty()) return;
  feed_forward(worker, ws, layer, layer.parallel || shifted ? ws.input : ws.x);
  worker.wait();
  if (!layer.altup.empty()) correct(worker, ws, layer.altup);
  if (layer.token_input.empty()) return;
  add_token_input(worker, ws, layer, index);
  worker.wait();
}

}  // namespace partita::internal
