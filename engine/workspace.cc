#include "engine/workspace.h"

#include <algorithm>
#include <utility>

namespace partita::internal {
namespace {

/// The largest widths over all layers, for buffers that all of them use.
struct Widths {
  // At least 1, so that no buffer is empty.
  HeadWidths head = {1, 1};
  std::size_t q = 1, k = 1, v = 1, mixed = 1, ffn = 1;
  std::size_t beta = 0, decay = 0, low = 1;      // DeltaBuffers; low: Rwkv7Buffers, too
  std::size_t rwkv7 = 0;                         // Rwkv7Buffers
  std::size_t inner = 0, experts = 0, used = 0;  // of mixtures of experts; `used` with the shared one
  bool own_inputs = false;                       // of their routers or shared experts
  std::size_t product = 0;                       // columns of a matrix
  std::size_t head_product = 0;                  // columns of a matrix of one head (Mla)
};

void raise_for(const Rwkv7& m, Widths& most) {
  std::size_t low = 1;
  for (const LowRank* one : {&m.decay, &m.rate, &m.mix, &m.gate}) low = std::max(low, one->down.weight.rows);
  for (std::size_t* width : {&most.k, &most.v, &most.rwkv7}) *width = std::max(*width, m.width());
  most.low = std::max(most.low, low);
  most.ffn = std::max({most.ffn, m.width(), low});  // of the gate, and of Workspace::ones
}

Widths widths_of(const Transformer& model) {
  Widths most{.product = model.config().hidden_size};
  const auto raise = [](auto& width, auto by) { width = std::max(width, by); };
  for (const Layer& layer : model.layers()) {
    if (const Attention* a = layer.attention()) {
      raise(most.head.key, a->kv.widths.key);
      raise(most.head.value, a->kv.widths.value);
      raise(most.k, a->k_width());
      raise(most.v, a->v_width());
      raise(most.ffn, a->gate.weight.rows);
    }
    if (const auto* net = std::get_if<DeltaNet>(&layer.mixer)) {
      raise(most.k, net->k_width());
      raise(most.v, net->v_width());
      raise(most.ffn, net->v_width());  // of the gate
      raise(most.beta, std::size_t{net->heads});
      raise(most.decay, net->decay_rate.size());
      raise(most.low, std::max(net->decay_low.weight.rows, net->gate_low.weight.rows));
    }
    raise(most.q, std::visit([](const auto& m) { return m.projection_width(); }, layer.mixer));
    if (const auto* m = std::get_if<Mamba>(&layer.mixer)) {
      raise(most.k, m->parameters.weight.rows);
      raise(most.v, m->steps.weight.rows);
    }
    if (const auto* m = std::get_if<Rwkv7>(&layer.mixer)) raise_for(*m, most);
    if (const auto* a = std::get_if<Mla>(&layer.mixer)) {
      raise(most.v, a->heads * std::size_t{std::max(a->head.key, a->widths.value)});
      raise(most.mixed, a->q_a.weight.rows);
      raise(most.head_product, std::max(a->head.key - a->rotated(), std::size_t{a->widths.value}));
    }
    raise(most.mixed, layer.out().weight.cols);
    if (const auto* both = std::get_if<AttentionAndMamba2>(&layer.mixer))
      raise(most.mixed, both->mamba2.width());
    if (const auto* ffn = std::get_if<Ffn>(&layer.ffn)) raise(most.ffn, ffn->width());
    if (const auto* moe = std::get_if<Moe>(&layer.ffn)) {
      raise(most.inner, std::max(moe->experts.front().width(), moe->shared.width()));
      raise(most.experts, moe->experts.size());
      raise(most.own_inputs, !moe->pre.empty() || !moe->router_norm.empty());
      raise(most.used, std::size_t{moe->routing.used} + moe->has_shared());
    }
    raise(most.ffn, std::max(layer.token_input.gate.weight.rows, layer.laurel.left.weight.rows));
    for (const Linear* linear : layer.linears()) raise(most.product, linear->weight.cols);
  }
  return most;
}

/// The plan of the layers with as many heads as `a`, or the end.
auto find_plan(const std::vector<AttentionPlan>& plans, const Attention& a) {
  return std::find_if(plans.begin(), plans.end(), [&](const auto& plan) { return plan.is_for(a); });
}

std::vector<AttentionPlan> plans_of(const std::vector<Layer>& layers) {
  std::vector<AttentionPlan> plans;
  for (const Layer& layer : layers) {
    const Attention* a = layer.attention();
    if (a != nullptr && find_plan(plans, *a) == plans.end())
      plans.push_back({.heads = a->heads, .kv_heads = a->kv.heads});
  }
  return plans;
}

}  // namespace

MoeBuffers::MoeBuffers(const Transformer& model, std::size_t max_rows, int threads) {
  const Widths most = widths_of(model);
  const std::size_t hidden = model.config().hidden_size, pairs = max_rows * most.used;
  router = FloatBuffer(max_rows, most.experts);
  shared_gate = FloatBuffer(max_rows, 1);
  plan = MoePlan(max_rows, most.used, most.experts);
  input = ActivationBuffer(pairs, hidden);
  const std::size_t many = most.own_inputs ? max_rows : 1, few = most.own_inputs ? kMaxRedundantRows : 1;
  router_input = ActivationBuffer(many, hidden);
  shared_input = ActivationBuffer(many, hidden);
  gate = FloatBuffer(pairs, most.inner);
  up = FloatBuffer(pairs, most.inner);
  inner = ActivationBuffer(pairs, most.inner);
  out = FloatBuffer(pairs, hidden);
  for (int t = 0; t < threads; ++t) {
    own.push_back({MoePlan(kMaxRedundantRows, most.used, most.experts),
                   ActivationBuffer(kMaxRedundantRows, hidden),
                   ActivationBuffer(kMaxRedundantRows * most.used, most.inner), ActivationBuffer(few, hidden),
                   ActivationBuffer(few, hidden)});
  }
}

bool MoeBuffers::ok() const {
  return router.ok() && shared_gate.ok() && input.ok() && router_input.ok() && shared_input.ok() &&
         gate.ok() && up.ok() && inner.ok() && out.ok() &&
         std::all_of(own.begin(), own.end(), [](const Own& o) {
           return o.input.ok() && o.inner.ok() && o.router_input.ok() && o.shared_input.ok();
         });
}

DeltaBuffers::DeltaBuffers(const Transformer& model, std::size_t max_rows) {
  const Widths most = widths_of(model);
  beta = FloatBuffer(max_rows, most.beta);
  decay = FloatBuffer(max_rows, most.decay);
  decay_low = FloatBuffer(max_rows, most.low);
  gate_low = FloatBuffer(max_rows, most.low);
}

bool DeltaBuffers::ok() const { return beta.ok() && decay.ok() && decay_low.ok() && gate_low.ok(); }

Rwkv7Buffers::Rwkv7Buffers(const Transformer& model, std::size_t max_rows) {
  const Widths most = widths_of(model);
  for (FloatBuffer* one : {&first_values, &decay, &rate}) *one = FloatBuffer(max_rows, most.rwkv7);
  for (FloatBuffer* one : {&decay_low, &rate_low, &mix_low, &gate_low})
    *one = FloatBuffer(max_rows, most.low);
}

bool Rwkv7Buffers::ok() const {
  const FloatBuffer* all[] = {&first_values, &decay, &rate, &decay_low, &rate_low, &mix_low, &gate_low};
  return std::all_of(std::begin(all), std::end(all), [](const FloatBuffer* b) { return b->ok(); });
}

Workspace::Workspace(const Transformer& of, int thread_count, std::size_t row_count)
    : model(of), threads(thread_count), max_rows(row_count) {
  const Config& c = model.config();
  const Widths most = widths_of(model);
  rows.reserve(max_rows);
  output_rows.reserve(max_rows);
  sequences.reserve(max_rows);
  attention_plans = plans_of(model.layers());
  output_plans = attention_plans;
  for (std::vector<AttentionPlan>* plans : {&attention_plans, &output_plans}) {
    for (AttentionPlan& plan : *plans) plan.ranges.reserve(max_rows);
  }
  x = FloatBuffer(max_rows, c.hidden_size);
  y = FloatBuffer(max_rows, c.hidden_size);
  versions = FloatBuffer(max_rows, std::max<std::size_t>(std::size_t{c.versions} * c.hidden_size, 1));
  const bool parallel = std::any_of(model.layers().begin(), model.layers().end(), [](const Layer& layer) {
    return layer.parallel || !layer.ffn_shift.empty() ||
           std::holds_alternative<AttentionAndMamba2>(layer.mixer);
  });
  input = FloatBuffer(parallel ? max_rows : 1, c.hidden_size);
  q = FloatBuffer(max_rows, most.q);
  k = FloatBuffer(max_rows, most.k);
  v = FloatBuffer(max_rows, most.v);
  mixed = FloatBuffer(max_rows, most.mixed);
  const std::size_t token_inputs_width = std::max<std::size_t>(c.layers * model.token_inputs().width, 1);
  token_inputs = FloatBuffer(max_rows, token_inputs_width);
  table_rows = FloatBuffer(static_cast<std::size_t>(threads), token_inputs_width);
  gate = FloatBuffer(max_rows, most.ffn);
  up = FloatBuffer(max_rows, most.ffn);
  ones.assign(std::max({most.ffn, most.inner, most.q}), 1.0F);
  if (most.beta > 0) delta = DeltaBuffers(model, max_rows);
  if (most.rwkv7 > 0) rwkv7 = Rwkv7Buffers(model, max_rows);
  if (most.experts > 0) moe = MoeBuffers(model, max_rows, threads);
  for (const Rope& rope : c.rope) {
    cos.emplace_back(max_rows, rope.inverse_frequency.size());
    sin.emplace_back(max_rows, rope.inverse_frequency.size());
  }
  shared_activations = ActivationBuffer(max_rows, most.product);
  adapter_scratch.resize(static_cast<std::size_t>(threads));
  for (int t = 0; t < threads; ++t) {
    own_activations.emplace_back(kMaxRedundantRows, most.product);
    matmul.emplace_back(matmul_scratch_bytes(most.product));
    attend.emplace_back(most.head);
    if (most.head_product > 0) head_activations.emplace_back(kMaxHeadRows, most.head_product);
  }
}

bool Workspace::grow_spans(std::size_t span_rows) {
  if (span_rows <= span_max.size()) return true;
  FloatBuffer larger(2 * span_rows, attend[0].out.cols());
  if (!larger.ok()) return false;
  span_max.resize(2 * span_rows);
  span_sum.resize(2 * span_rows);
  span_out = std::move(larger);
  return true;
}

const AttentionPlan& Workspace::plan_of(const Attention& attention, bool outputs_only) const {
  const bool outputs = outputs_only || rows.size() == output_rows.size();
  return *find_plan(outputs ? output_plans : attention_plans, attention);
}

void Workspace::keep_output_rows(std::size_t mixed_width) {
  std::size_t tiled = 0;
  for (std::size_t i = 0; i < output_rows.size(); ++i) {
    const std::size_t r = output_rows[i];  // >= i
    tiled += r < tiled_rows;
    if (r == i) continue;
    rows[i] = rows[r];
    std::copy_n(x.row(r), x.cols(), x.row(i));
    std::copy_n(token_inputs.row(r), token_inputs.cols(), token_inputs.row(i));
    std::copy_n(versions.row(r), versions.cols(), versions.row(i));
    std::copy_n(mixed.row(r, mixed_width), mixed_width, mixed.row(i, mixed_width));
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
  const FloatBuffer* buffers[] = {&x,  &versions,     &y,         &q, &k, &v, &mixed, &input, &gate,
                                  &up, &token_inputs, &table_rows};
  return std::all_of(std::begin(buffers), std::end(buffers), [](const FloatBuffer* b) { return b->ok(); }) &&
         (delta.beta.cols() == 0 || delta.ok()) && (rwkv7.rate.cols() == 0 || rwkv7.ok()) &&
         (moe.own.empty() || moe.ok()) && good(cos) && good(sin) && shared_activations.ok() &&
         good(own_activations) && good(attend) && good(head_activations) &&
         std::all_of(matmul.begin(), matmul.end(), [](const AlignedBytes& b) { return b.data() != nullptr; });
}

}  // namespace partita::internal
