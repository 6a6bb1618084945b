#include "engine/layers/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace partita::internal {
namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();
constexpr float kLog2e = 1.44269504088896340736F;
constexpr std::size_t kPagesPerSpan = kSpanTokens / kPageTokens;

/// With fewer units than this per thread, deep units are split by spans.
constexpr std::size_t kEnoughUnitsPerThread = 4;

/// A unit of work: the queries of `range` under heads [head, head + heads) of KV head `kv_head`.
struct Unit {
  QueryRange range;
  std::size_t kv_head, head, heads;
  std::size_t rows() const { return range.tokens * heads; }
};

Unit unit_at(const AttentionPlan& plan, std::size_t i) {
  const std::size_t group = plan.heads / plan.kv_heads;
  const std::size_t part = i % plan.head_parts;
  const std::size_t kv_head = i / plan.head_parts % plan.kv_heads;
  const std::size_t first = part * plan.heads_per_unit;
  return {plan.ranges[i / plan.head_parts / plan.kv_heads], kv_head, kv_head * group + first,
          std::min(plan.heads_per_unit, group - first)};
}

std::size_t spans_of(std::size_t keys) { return (keys + kSpanTokens - 1) / kSpanTokens; }

/// The maximum number of spans that the last of `tokens` tokens attends to in a layer.
std::size_t max_spans(const KvShape& kv, std::size_t tokens) {
  const std::size_t all = spans_of(tokens);
  // A window that does not start at a span boundary touches one more span.
  return kv.window == 0 ? all : std::min(all, spans_of(kv.sinks) + spans_of(kv.window) + 1);
}

/// The keys that the queries of a unit attend to, and their pages in the cache of a layer: first the sinks,
/// then the window.
class UnitKeys {
 public:
  UnitKeys(const Workspace& ws, const Unit& unit, const Attention& attention)
      : sequence_(*ws.rows[unit.range.row].sequence),
        layer_(attention.state),
        kv_head_(unit.kv_head),
        kv_(attention.kv),
        chunk_(attention.chunk),
        first_(oldest_in_window(ws.rows[unit.range.row].position)),
        last_(ws.rows[unit.range.row + unit.range.tokens - 1].position + 1),
        sink_spans_(std::min(spans_of(kv_.sinks), first_ / kSpanTokens)) {}

  /// The first key that the query at `position` attends to in the page that begins at key `start`.
  std::size_t first_attended(std::size_t position, std::size_t start) const {
    return start < kv_.sinks ? start : oldest_in_window(position);
  }
  std::size_t last() const { return last_; }

  /// The attended spans, in order, and the i-th of them: those of sinks alone, then those from the start of
  /// the window on.
  std::size_t spans() const { return sink_spans_ + spans_of(last_) - first_ / kSpanTokens; }
  std::size_t span(std::size_t i) const {
    return i < sink_spans_ ? i : first_ / kSpanTokens + i - sink_spans_;
  }

  /// The attended pages of a span: first_page(), then next_page() of each, while they are before last_page().
  std::size_t first_page(std::size_t span) const { return next_attended(span * kPagesPerSpan); }
  std::size_t next_page(std::size_t page) const { return next_attended(page + 1); }
  std::size_t last_page(std::size_t span) const {
    return std::min(pages_for(last_), (span + 1) * kPagesPerSpan);
  }

  KvType type() const { return sequence_.pool().type(); }
  KvPage page(std::size_t i) const {
    const KvPool& pool = sequence_.pool();
    const std::byte* page = sequence_.page(pool.class_of(layer_), i);
    return {page + pool.k_offset(layer_, kv_head_), page + pool.v_offset(layer_, kv_head_)};
  }

 private:
  std::size_t oldest_in_window(std::size_t position) const {
    const std::size_t oldest = kv_.window != 0 && position + 1 > kv_.window ? position + 1 - kv_.window : 0;
    return chunk_ == 0 ? oldest : std::max(oldest, position / chunk_ * chunk_);
  }
  std::size_t next_attended(std::size_t page) const {
    return page * kPageTokens < kv_.sinks ? page : std::max(page, first_ / kPageTokens);
  }

  const KvSequence& sequence_;
  const std::size_t layer_, kv_head_;
  const KvShape& kv_;
  const std::size_t chunk_;
  const std::size_t first_, last_;  // keys: the oldest in the window, and the end
  const std::size_t sink_spans_;    // before the first span of the window
};

class UnitAttention {
 public:
  UnitAttention(Workspace& ws, AttentionScratch& scratch, const Unit& unit, const Attention& attention,
                FloatBuffer& out)
      : ws_(ws),
        scratch_(scratch),
        out_(out),
        unit_(unit),
        attention_(attention),
        kernels_(ws.model.kernels()),
        keys_(ws, unit, attention) {}

  const UnitKeys& keys() const { return keys_; }

  /// Computes all spans, into the rows of the output. `after`: the page that is read next, to be prefetched.
  void all_spans(const KvPage& after) {
    gather_queries();
    const SoftmaxState whole{scratch_.max, scratch_.sum, scratch_.out.row(0)};
    begin(whole);
    for (std::size_t i = 0; i < keys_.spans(); ++i) {
      const SoftmaxState part{scratch_.part_max, scratch_.part_sum, scratch_.part.row(0)};
      one_span(i, part, i + 1 < keys_.spans() ? keys_.page(keys_.first_page(keys_.span(i + 1))) : after);
      kernels_.merge(part, rows(), widths().value, whole);
    }
    kernels_.finish(whole, rows(), widths().value);
    scatter(whole.out);
  }

  /// The queries of all rows, scaled, as the kernels read them.
  void gather_queries() { attention_.kv.latent ? gather_columns() : gather_rows(); }

  /// Computes the i-th span alone, into `part`, which it clears first. Precondition: gather_queries().
  void one_span(std::size_t i, const SoftmaxState& part, const KvPage& after) {
    clear(part);
    const std::size_t span = keys_.span(i), last_page = keys_.last_page(span);
    for (std::size_t p = keys_.first_page(span), following; p < last_page; p = following) {
      following = keys_.next_page(p);
      const std::size_t start = p * kPageTokens;
      limits(start);
      QueryTile tile{scratch_.q.row(0), rows(), widths(), scratch_.first, scratch_.last};
      if (!attention_.slopes.empty()) add_slopes(start, tile);
      tile.cap = attention_.softcap * kLog2e;
      KvPage page = keys_.page(p);
      const KvPage next = following < last_page ? keys_.page(following) : after;
      page.next_k = next.k;
      page.next_v = next.v;
      const auto attend = attention_.kv.latent ? kernels_.attend_latent : kernels_.attend;
      attend(keys_.type(), tile, page,
             static_cast<int>(std::min<std::size_t>(kPageTokens, keys_.last() - start)), part);
    }
  }

  /// Merges the results of all spans, consecutive from `part` on, into the rows of the output.
  void merge_spans(const SoftmaxState& parts, std::size_t stride_rows) {
    const SoftmaxState whole{scratch_.max, scratch_.sum, scratch_.out.row(0)};
    begin(whole);
    for (std::size_t i = 0; i < keys_.spans(); ++i) {
      const std::size_t at = i * stride_rows;
      kernels_.merge({parts.max + at, parts.sum + at, parts.out + at * widths().value}, rows(),
                     widths().value, whole);
    }
    kernels_.finish(whole, rows(), widths().value);
    scatter(whole.out);
  }

 private:
  int rows() const { return static_cast<int>(unit_.rows()); }
  HeadWidths widths() const { return attention_.kv.widths; }

  /// Row t * heads + h of the tile: token t, head h of the unit.
  void gather_rows() {
    const std::size_t width = attention_.widths.key, padded = widths().key;
    float* to = scratch_.q.row(0);
    for (std::size_t t = 0; t < unit_.range.tokens; ++t) {
      const std::size_t position = ws_.rows[unit_.range.row + t].position;
      const float scale = attention_.scale * kLog2e * attention_.query_scale.at(position);
      const float* from = ws_.q.row(unit_.range.row + t, attention_.q_width()) + unit_.head * width;
      for (std::size_t h = 0; h < unit_.heads; ++h, from += width, to += padded) {
        for (std::size_t i = 0; i < width; ++i) to[i] = from[i] * scale;
        std::fill(to + width, to + padded, 0.0F);
      }
    }
  }

  /// The same as columns, for latents.
  void gather_columns() {
    const float scale = attention_.scale * kLog2e;
    const std::size_t width = attention_.widths.key, columns = latent_columns(unit_.rows());
    std::fill_n(scratch_.q.row(0), widths().key * columns, 0.0F);
    float* to = scratch_.q.row(0);
    for (std::size_t t = 0; t < unit_.range.tokens; ++t) {
      const float* from = ws_.q.row(unit_.range.row + t, attention_.q_width()) + unit_.head * width;
      for (std::size_t h = 0; h < unit_.heads; ++h, from += width, ++to) {
        for (std::size_t i = 0; i < width; ++i) to[i * columns] = from[i] * scale;
      }
    }
  }

  void scatter(const float* out) {
    const std::size_t width = attention_.widths.value, padded = widths().value;
    for (std::size_t t = 0; t < unit_.range.tokens; ++t) {
      float* to = out_.row(unit_.range.row + t, attention_.out_width()) + unit_.head * width;
      for (std::size_t h = 0; h < unit_.heads; ++h, out += padded, to += width) std::copy_n(out, width, to);
      if (attention_.gate.weight.rows > 0) apply_gate(t);
    }
  }

  /// Multiplies the output of token t in the heads of the unit by its gate.
  void apply_gate(std::size_t t) {
    const std::size_t r = unit_.range.row + t, rows = attention_.gate.weight.rows;
    const std::size_t width = attention_.widths.value, first = unit_.head * width;
    const bool of_heads = rows == attention_.heads;
    const float* gate = ws_.gate.row(r, rows) + (of_heads ? unit_.head : first);
    float* out = ws_.mixed.row(r, attention_.out_width()) + first;
    if (!of_heads && !attention_.softplus_gate) {
      return kernels_.gate(GateFunction::kSigmoid, gate, out, unit_.heads * width, out);
    }
    for (std::size_t i = 0; i < unit_.heads * width; i += of_heads ? width : 1) {
      const float factor = gate_of(gate[of_heads ? i / width : i]);
      for (std::size_t j = i; j < i + (of_heads ? width : 1); ++j) out[j] *= factor;
    }
  }

  float gate_of(float x) const {
    if (!attention_.softplus_gate) return 1 / (1 + std::exp(-x));
    return std::max(x, 0.0F) + std::log1p(std::exp(-std::abs(x)));
  }

  /// Before the first key: nothing, or the learned sinks.
  void begin(const SoftmaxState& state) {
    clear(state);
    for (std::size_t r = 0; !attention_.sink_logits.empty() && r < unit_.rows(); ++r) {
      state.max[r] = attention_.sink_logits[unit_.head + r % unit_.heads] * kLog2e;
      state.sum[r] = 1;
    }
  }

  void clear(const SoftmaxState& state) {
    std::fill_n(state.max, unit_.rows(), kNothing);
    std::fill_n(state.sum, unit_.rows(), 0.0F);
    std::fill_n(state.out, unit_.rows() * widths().value, 0.0F);
  }

  /// The range of keys that each row attends to in the page that begins at key `start`: causal, and a sink or
  /// within the window.
  void limits(std::size_t start) {
    for (std::size_t t = 0; t < unit_.range.tokens; ++t) {
      const std::size_t position = ws_.rows[unit_.range.row + t].position;
      const auto relative = [&](std::size_t key) {
        const auto d = static_cast<std::ptrdiff_t>(key) - static_cast<std::ptrdiff_t>(start);
        return static_cast<std::int32_t>(std::clamp<std::ptrdiff_t>(d, -1, kPageTokens));
      };
      for (std::size_t h = 0; h < unit_.heads; ++h) {
        scratch_.first[t * unit_.heads + h] = relative(keys_.first_attended(position, start));
        scratch_.last[t * unit_.heads + h] = relative(position + 1);
      }
    }
  }

  /// ALiBi in the page that begins at key `start`.
  void add_slopes(std::size_t start, QueryTile& tile) {
    for (std::size_t t = 0; t < unit_.range.tokens; ++t) {
      const std::size_t position = ws_.rows[unit_.range.row + t].position;
      for (std::size_t h = 0; h < unit_.heads; ++h) {
        scratch_.slope[t * unit_.heads + h] = attention_.slopes[unit_.head + h] * kLog2e;
        scratch_.at[t * unit_.heads + h] = static_cast<float>(position) - static_cast<float>(start);
      }
    }
    tile.slope = scratch_.slope;
    tile.at = scratch_.at;
  }

  Workspace& ws_;
  AttentionScratch& scratch_;
  FloatBuffer& out_;
  const Unit unit_;
  const Attention& attention_;
  const Kernels& kernels_;
  const UnitKeys keys_;
};

}  // namespace

void plan_attention(Workspace& ws, std::span<const std::size_t> rows, AttentionPlan& plan) {
  const std::size_t group = plan.heads / plan.kv_heads;
  plan.heads_per_unit = std::min<std::size_t>(group, kMaxQueryRows);
  plan.head_parts = (group + plan.heads_per_unit - 1) / plan.heads_per_unit;
  plan.spans = 1;
  const std::size_t max_tokens = std::max<std::size_t>(1, kMaxQueryRows / plan.heads_per_unit);

  plan.ranges.clear();
  std::size_t deepest = 0, longest = 0;
  for (std::size_t row = 0; row < rows.size();) {
    const KvSequence* sequence = ws.rows[rows[row]].sequence;
    std::size_t n = 1;
    while (n < max_tokens && row + n < rows.size() && ws.rows[rows[row + n]].sequence == sequence) ++n;
    plan.ranges.push_back({row, n});
    deepest = std::max(deepest, ws.rows[rows[row + n - 1]].position + 1);
    longest = std::max(longest, n);
    row += n;
  }
  plan.units = plan.ranges.size() * plan.kv_heads * plan.head_parts;

  const bool few = plan.units < kEnoughUnitsPerThread * static_cast<std::size_t>(ws.threads);
  if (ws.threads > 1 && few && longest == 1 && deepest > kSpanTokens) {
    for (const Layer& layer : ws.model.layers()) {
      if (const Attention* a = layer.attention(); a != nullptr && plan.is_for(*a))
        plan.spans = std::max(plan.spans, max_spans(a->kv, deepest));
    }
    const std::size_t needed = plan.units * plan.spans * plan.heads_per_unit;
    if (!ws.grow_spans(needed)) plan.spans = 1;  // slower, but correct
  }
}

void attend(const Worker& worker, Workspace& ws, const AttentionPlan& plan, const Attention& attention,
            FloatBuffer& out) {
  AttentionScratch& scratch = ws.attend[static_cast<std::size_t>(worker.index)];
  // Work items, (unit, span) or whole units, are handed out in order. The next item of this worker will most
  // likely be the one that is as many items ahead as the team has members.
  const std::size_t items = plan.units * plan.spans;
  const auto first_page_after = [&](std::size_t item) -> KvPage {
    const std::size_t next = item + static_cast<std::size_t>(worker.count);
    if (next >= items) return {};
    const UnitKeys keys(ws, unit_at(plan, next / plan.spans), attention);
    const std::size_t i = next % plan.spans;
    return i < keys.spans() ? keys.page(keys.first_page(keys.span(i))) : KvPage{};
  };
  if (plan.spans == 1) {
    for (std::size_t i = ws.next_unit++; i < items; i = ws.next_unit++) {
      UnitAttention(ws, scratch, unit_at(plan, i), attention, out).all_spans(first_page_after(i));
    }
    return;
  }
  const std::size_t stride = plan.heads_per_unit;
  const std::size_t width = attention.kv.widths.value;
  const auto partial = [&](std::size_t i, std::size_t span) {
    const std::size_t at = (i * plan.spans + span) * stride;
    return SoftmaxState{ws.span_max.data() + at, ws.span_sum.data() + at, ws.span_out.row(at, width)};
  };
  for (std::size_t j = ws.next_unit++; j < items; j = ws.next_unit++) {
    const std::size_t i = j / plan.spans, span = j % plan.spans;
    UnitAttention unit(ws, scratch, unit_at(plan, i), attention, out);
    if (span >= unit.keys().spans()) continue;
    unit.gather_queries();
    unit.one_span(span, partial(i, span), first_page_after(j));
  }
  worker.wait();
  const auto [first, last] = worker.share(plan.units);
  for (std::size_t i = first; i < last; ++i) {
    UnitAttention(ws, scratch, unit_at(plan, i), attention, out).merge_spans(partial(i, 0), stride);
  }
}

}  // namespace partita::internal
