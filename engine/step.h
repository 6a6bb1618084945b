// One step of the engine: a ragged set of rows goes through all layers together.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "engine/cache/kv_cache.h"
#include "engine/kernels/tile_products.h"
#include "engine/model.h"
#include "partita/result.hpp"

namespace partita {

/// Prompt tokens and generated tokens may use different arithmetic (AMX tiles for prompts); a token's role is
/// part of its history, so its bits still depend on nothing but that history.
enum class Role : std::uint8_t { kPrompt, kGenerated };

/// Consecutive new tokens of one sequence: a piece of its prompt, or one generated token.
struct Chunk {
  KvSequence* sequence = nullptr;
  std::span<const std::int32_t> tokens;
  Role role = Role::kPrompt;
  /// Hidden states wanted of the last `outputs` of these tokens (0: none, 1: to generate, all: to score).
  std::size_t outputs = 0;
};

/// Buffers for steps of up to max_rows rows with one model; reused, so that a step allocates next to nothing.
/// Not for two threads at once; several engines may share a Transformer.
class Engine {
 public:
  /// `tiles`: multiply prompt rows through oneDNN in this type; by default in bf16 where the model's ISA has
  /// tiles.
  Engine(std::shared_ptr<const Transformer> model, int threads, std::size_t max_rows,
         std::optional<TileType> tiles = std::nullopt);
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  /// Whether a token's keys and values depend on its role.
  bool roles_differ() const;

  /// Runs all chunks (rows in total <= max_rows; each sequence at most once) and appends them to their
  /// sequences. hidden: [sum of outputs][hidden_size], after the final norm, in the order of chunks. Errors:
  /// kInvalidArgument (too many rows, a token outside the vocabulary, a context past the model's limit),
  /// kOutOfMemory from the cache, kUnsupported when oneDNN fails, kCancelled when *cancel became true (looked
  /// at before every layer). After an error no sequence has changed its length.
  Result<void> step(std::span<const Chunk> chunks, float* hidden, const std::atomic<bool>* cancel = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace partita
