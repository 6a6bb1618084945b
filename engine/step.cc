#include "engine/step.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "engine/adapter.h"
#include "engine/block.h"
#include "engine/layers/altup.h"
#include "engine/layers/attention.h"
#include "engine/layers/token_input.h"
#include "engine/number_watch.h"
#include "engine/workspace.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

Error bad_step(std::string sentence) { return {ErrorCode::kInvalidArgument, std::move(sentence)}; }

/// RoPE angles as the reference computes them: the product of position and frequency in float, its cosine
/// exactly.
void fill_angles(const Rope& rope, const StepRow& row, float* cos, float* sin) {
  const std::uint32_t limit = row.sequence->rope_limit();
  const auto frequencies = rope.frequencies(limit);
  const double step = rope.dynamic_step(limit);
  double scale = 1;
  for (std::size_t i = 0; i < frequencies.size(); ++i, scale *= step) {
    const float frequency = static_cast<float>(frequencies[i] * scale);
    const float angle = static_cast<float>(row.position) * frequency;
    cos[i] = static_cast<float>(std::cos(static_cast<double>(angle))) * rope.magnitude;
    sin[i] = static_cast<float>(std::sin(static_cast<double>(angle))) * rope.magnitude;
  }
}

}  // namespace

struct Engine::Impl {
  Impl(std::shared_ptr<const Transformer> of, int threads, std::size_t max_rows)
      : model(std::move(of)), team(threads), ws(*model, team.threads(), max_rows) {
    tokens.reserve(max_rows);
    all.reserve(max_rows);
    wanted.reserve(max_rows);
  }

  Result<void> make_tiles(TileType type);
  Result<void> check(std::span<const Chunk> chunks) const;
  Result<void> plan(std::span<const Chunk> chunks);
  Result<void> order_chunks(std::span<const Chunk> chunks);
  void run(const Worker& worker, float* hidden, const std::atomic<bool>* cancel);

  std::shared_ptr<const Transformer> model;
  Team team;
  Workspace ws;
  std::vector<std::size_t> starts;    // first row of each chunk
  std::vector<std::size_t> order;     // of the chunks: those with the same adapters side by side
  std::vector<std::uint32_t> tokens;  // of each row
  Result<void> ready;                 // or the reason that no step can run
  std::vector<std::size_t> all;       // 0, 1, .. for all rows
  std::vector<std::size_t> wanted;    // rows whose hidden state is an output, in the order of chunks
};

Result<void> Engine::Impl::make_tiles(TileType type) {
  std::vector<std::size_t> cols;
  for (const Layer& layer : model->layers()) {
    for (const Linear* linear : layer.linears()) cols.push_back(linear->weight.cols);
  }
  std::sort(cols.begin(), cols.end());
  cols.erase(std::unique(cols.begin(), cols.end()), cols.end());
  auto tiles = TileProducts::create(type, cols, ws.max_rows, ws.threads, model->kernels());
  if (!tiles) return tiles.error();
  ws.tiles = std::move(*tiles);
  return {};
}

Result<void> Engine::Impl::check(std::span<const Chunk> chunks) const {
  const Config& c = model->config();
  std::size_t rows = 0;
  for (const Chunk& chunk : chunks) {
    rows += chunk.tokens.size();
    for (const std::int32_t token : chunk.tokens) {
      if (token < 0 || static_cast<std::uint32_t>(token) >= c.vocab_size) {
        return bad_step("Token " + std::to_string(token) + " is outside the vocabulary of " +
                        std::to_string(c.vocab_size) + ".");
      }
    }
    const std::size_t length = chunk.sequence->length() + chunk.tokens.size();
    if (length > c.context_length) {
      return bad_step("The sequence would have " + std::to_string(length) +
                      " tokens; the model's context holds " + std::to_string(c.context_length) + ".");
    }
    if (chunk.outputs > chunk.tokens.size()) {
      return bad_step("A chunk of " + std::to_string(chunk.tokens.size()) + " tokens cannot have " +
                      std::to_string(chunk.outputs) + " outputs.");
    }
    const auto same = [&](const Chunk& other) {
      return &other != &chunk && other.sequence == chunk.sequence;
    };
    if (std::any_of(chunks.begin(), chunks.end(), same))
      return bad_step("A sequence occurs twice in one step.");
  }
  if (rows == 0 || rows > ws.max_rows) {
    return bad_step("The step has " + std::to_string(rows) + " rows and must have 1 to " +
                    std::to_string(ws.max_rows) + ".");
  }
  return {};
}

Result<void> Engine::Impl::order_chunks(std::span<const Chunk> chunks) {
  order.resize(chunks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  ws.adapted = false;
  for (const Chunk& chunk : chunks) {
    const AdapterSet* const adapters = chunk.sequence->adapters();
    if (adapters == nullptr) continue;
    ws.adapted = true;
    for (AdapterScratch& scratch : ws.adapter_scratch) {
      if (!scratch.grow_to(*adapters))
        return Error{ErrorCode::kOutOfMemory, "No memory for the buffers of adapters."};
    }
  }
  if (!ws.adapted) return {};
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(chunks[a].sequence->adapters_key(), a) <
           std::pair(chunks[b].sequence->adapters_key(), b);
  });
  return {};
}

Result<void> Engine::Impl::plan(std::span<const Chunk> chunks) {
  TRY(order_chunks(chunks));
  ws.rows.clear();
  ws.sequences.clear();
  tokens.clear();
  starts.assign(chunks.size(), 0);
  for (const Role role : {Role::kPrompt, Role::kGenerated}) {
    for (const std::size_t i : order) {
      const Chunk& chunk = chunks[i];
      if (chunk.role != role) continue;
      TRY(chunk.sequence->reserve(chunk.tokens.size()));
      starts[i] = ws.rows.size();
      if (!chunk.tokens.empty()) ws.sequences.push_back({starts[i], chunk.tokens.size()});
      for (const std::int32_t token : chunk.tokens) {
        ws.rows.push_back({chunk.sequence, chunk.sequence->length() + ws.rows.size() - starts[i]});
        tokens.push_back(static_cast<std::uint32_t>(token));
      }
    }
    if (role == Role::kPrompt) ws.tiled_rows = ws.tiles != nullptr ? ws.rows.size() : 0;
  }
  wanted.clear();
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const std::size_t end = starts[i] + chunks[i].tokens.size();
    for (std::size_t row = end - chunks[i].outputs; row < end; ++row) wanted.push_back(row);
  }
  ws.output_rows = wanted;
  std::sort(ws.output_rows.begin(), ws.output_rows.end());
  all.resize(ws.rows.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  for (AttentionPlan& plan : ws.attention_plans) plan_attention(ws, all, plan);
  for (AttentionPlan& plan : ws.output_plans) plan_attention(ws, ws.output_rows, plan);
  return {};
}

void Engine::Impl::run(const Worker& worker, float* hidden, const std::atomic<bool>* cancel) {
  const Config& c = model->config();
  const auto [first, last] = worker.share(ws.rows.size());
  for (std::size_t r = first; r < last; ++r) {
    const StepRow& row = ws.rows[r];
    model->embed(tokens[r], row.position, row.sequence->adapters(), ws.x.row(r), ws.y.row(r));
    for (std::size_t i = 0; i < c.rope.size(); ++i) {
      fill_angles(c.rope[i], ws.rows[r], ws.cos[i].row(r), ws.sin[i].row(r));
    }
  }
  worker.wait();
  if (ws.watch != nullptr) ws.watch->enter(worker, StepWatch::kNoLayer);
  look(worker, ws, "the embedding", ws.x, ws.x.cols());
  read_token_inputs(worker, ws, tokens);
  spread_versions(worker, ws);
  for (std::size_t layer = 0; layer < c.layers; ++layer) {
    // One worker reads `cancel` before the layer, and all act on its value after the layer: no worker may
    // leave while the others wait for it. Two flags alternate, because the worker may read again before the
    // slowest has acted.
    std::atomic<bool>& stop = ws.stop[layer % 2];
    if (cancel != nullptr && worker.index == 0)
      stop.store(cancel->load(std::memory_order_relaxed), std::memory_order_relaxed);
    if (ws.watch != nullptr) ws.watch->enter(worker, layer);
    run_block(worker, ws, layer);
    look(worker, ws, "the residual stream", ws.x, ws.x.cols());
    if (stop.load(std::memory_order_relaxed)) return;
  }
  merge_versions(worker, ws);
  const auto [from, to] = worker.share(wanted.size());
  for (std::size_t i = from; i < to; ++i) {
    // After the last layer only the output rows are left, in ascending order.
    const auto row =
        std::lower_bound(ws.output_rows.begin(), ws.output_rows.end(), wanted[i]) - ws.output_rows.begin();
    model->final_norm().apply(model->kernels(), ws.x.row(static_cast<std::size_t>(row)),
                              hidden + i * c.hidden_size);
  }
  if (ws.watch == nullptr) return;
  ws.watch->enter(worker, StepWatch::kNoLayer);
  ws.watch->look(worker, ws, "the norm output_norm", hidden, wanted.size(), c.hidden_size);
}

Engine::Engine(std::shared_ptr<const Transformer> model, int threads, std::size_t max_rows,
               std::optional<TileType> tiles)
    : impl_(std::make_unique<Impl>(std::move(model), threads, std::max<std::size_t>(max_rows, 1))) {
  if (!tiles && uses_tiles(impl_->model->isa())) tiles = TileType::kBF16;
  if (!impl_->ws.ok()) {
    impl_->ready = Error{ErrorCode::kOutOfMemory, "No memory for the buffers of a step of " +
                                                      std::to_string(impl_->ws.max_rows) + " rows."};
  } else if (tiles) {
    impl_->ready = impl_->make_tiles(*tiles);
  }
}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

void Engine::watch(StepWatch* watch) { impl_->ws.watch = watch; }

bool Engine::roles_differ() const { return impl_->ws.tiles != nullptr; }

Result<void> Engine::step(std::span<const Chunk> chunks, float* hidden, const std::atomic<bool>* cancel) {
  Impl& impl = *impl_;
  if (!impl.ready) return impl.ready;
  TRY(impl.check(chunks));
  TRY(impl.plan(chunks));
  for (std::atomic<bool>& stop : impl.ws.stop) stop.store(false, std::memory_order_relaxed);
  impl.ws.failed.store(false, std::memory_order_relaxed);
  impl.team.run([&](const Worker& worker) { impl.run(worker, hidden, cancel); });
  if (impl.ws.stop[0].load(std::memory_order_relaxed) || impl.ws.stop[1].load(std::memory_order_relaxed))
    return Error{ErrorCode::kCancelled, "The step was cancelled."};
  if (impl.ws.failed.load(std::memory_order_relaxed)) return impl.ws.tiles->failure();
  for (const Chunk& chunk : chunks) chunk.sequence->advance(chunk.tokens.size());
  return {};
}

}  // namespace partita::internal
