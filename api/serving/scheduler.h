// Continuous batching: prompt chunks (chunked prefill), generated tokens and draft tokens of many sequences
// share each ragged step of the engine.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "api/loaded_model.h"
#include "api/serving/sequence.h"
#include "api/serving/step_plan.h"
#include "engine/step.h"
#include "partita/partita.hpp"
#include "sampling/heads/head.h"

namespace partita::internal {

/// Runs steps as StepPlanner plans them. It owns the buffers of an engine and a head, so a step allocates
/// almost nothing. One thread at a time.
class Scheduler {
 public:
  /// Throws std::bad_alloc, which the public calls turn into an Error.
  Scheduler(std::shared_ptr<const LoadedModel> model, const SchedulerOptions& options);

  /// Runs one step. `sequences` are in order of precedence. Where the KV cache budget is too small for all,
  /// the last sequences are preempted: their pages are evicted, and they are read again later, with the same
  /// bits. A sequence may get several tokens, in order. Errors concern the step (kCancelled, kOutOfMemory):
  /// no sequence gets a token, `outcomes` holds the sequences that failed, and the step can be called again.
  /// Throws std::bad_alloc before anything has changed.
  Result<void> step(std::span<Sequence* const> sequences, const std::atomic<bool>* cancel, Timing& timing,
                    std::vector<Outcome>& outcomes);

  /// Which hidden states read_chunk() writes.
  enum class Outputs : std::uint8_t { kLast, kAll };

  /// Reads the next chunk of one sequence in a step of its own: ids from ids[cache.length()] on, of one role,
  /// at most as many as a step takes. The first `prompt` of all ids are its prompt. Returns the size of the
  /// chunk. hidden, with kLast: [hidden_size] of the last of all ids, written when the chunk contains it;
  /// with kAll: [chunk size, up to kStepRows][hidden_size]. Errors: those of Engine::step.
  Result<std::size_t> read_chunk(std::span<const TokenId> ids, std::size_t prompt, KvSequence& cache,
                                 Outputs outputs, float* hidden, const std::atomic<bool>* cancel);

  /// Grows the buffers for steps of max_sequences sequences. Precondition: at most kStepRows. Throws
  /// std::bad_alloc.
  void grow(std::size_t max_sequences);

  const LoadedModel& model() const { return *model_; }
  Engine& engine() { return engine_; }
  const Engine& engine() const { return engine_; }
  const Counts& counts() const { return counts_; }
  HeadScratch& head_scratch() { return *head_scratch_; }

 private:
  using Sequences = std::span<Sequence* const>;

  void make_chunks(Sequences sequences);
  void ask(Sequences sequences);
  Result<void> compute_answers(Sequences sequences);
  void roll_back(Sequences sequences);
  void accept_all(Sequences sequences, Timing& timing, std::vector<Outcome>& outcomes,
                  const std::atomic<bool>* cancel);
  void accept(Sequence& sequence, const PlannedChunk& chunk, std::span<const Result<Answer>> answers,
              std::vector<Outcome>& outcomes, const std::atomic<bool>* cancel);
  Error explained(const Sequence& sequence, const Result<Answer>& answer,
                  const std::atomic<bool>* cancel) const;
  void learn(Sequences sequences, double seconds);
  void count(double seconds, Timing& timing);

  std::shared_ptr<const LoadedModel> model_;
  Engine engine_;
  StepPlanner planner_;
  std::unique_ptr<HeadScratch> head_scratch_;
  std::size_t max_sequences_;
  std::vector<float> hidden_;  // [2 max_sequences_ + kMaxDraftTokensPerStep][hidden_size]; 2: with guidance
  std::vector<PlannedChunk> plan_;
  std::vector<Chunk> chunks_;
  std::vector<Question> questions_;
  std::vector<Result<Answer>> answers_;
  Counts counts_;
};

}  // namespace partita::internal
