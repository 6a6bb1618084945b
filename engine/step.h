// One step of the engine (a forward pass): rows of many sequences, prompt chunks and generated tokens
// together (continuous batching, chunked prefill), go through all layers as one ragged batch.
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

namespace partita::internal {

/// Prompt tokens and generated tokens may use different arithmetic (AMX tiles for prompts). The role of a
/// token is part of its history, so its bits depend on its history alone.
enum class Role : std::uint8_t { kPrompt, kGenerated };

/// Consecutive new tokens of one sequence: a prompt chunk, or a generated token with the draft tokens after
/// it.
struct Chunk {
  KvSequence* sequence = nullptr;
  std::span<const std::int32_t> tokens;
  Role role = Role::kPrompt;
  /// How many hidden states to return, of the last tokens of the chunk (0: none, 1: to generate, all: to
  /// score).
  std::size_t outputs = 0;
};

class StepWatch;

/// Buffers for steps of up to max_rows rows with one model. The buffers are reused, so that a step allocates
/// next to nothing. Not thread-safe; several engines may share a Transformer.
class Engine {
 public:
  /// `tiles`: multiply prompt rows through oneDNN in this type. Default: bf16 if the ISA of the model has
  /// tiles.
  Engine(std::shared_ptr<const Transformer> model, int threads, std::size_t max_rows,
         std::optional<TileType> tiles = std::nullopt);
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  /// Whether a token's keys and values depend on its role.
  bool roles_differ() const;

  /// Runs all chunks (in total at most max_rows rows; each sequence at most once) and appends them to their
  /// sequences. hidden: [sum of outputs][hidden_size], after the final norm, in the order of chunks. Errors:
  /// kInvalidArgument (too many rows, a token outside the vocabulary, a context past the model's limit),
  /// kOutOfMemory from the cache, kUnsupported if oneDNN fails, kCancelled if *cancel is true (checked before
  /// every layer). After an error the length of every sequence is unchanged.
  Result<void> step(std::span<const Chunk> chunks, float* hidden, const std::atomic<bool>* cancel = nullptr);

  /// Lets `watch` look at every operation of later steps; null: nothing does. It must outlive them.
  void watch(StepWatch* watch);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace partita::internal
