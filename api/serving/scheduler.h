// From requests to ragged steps: prompts in pieces, generated tokens and guesses of many sequences share each
// step.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "api/model_impl.h"
#include "api/serving/sequence.h"
#include "api/serving/step_plan.h"
#include "engine/step.h"
#include "partita/partita.hpp"
#include "sampling/heads/head.h"

namespace partita {

/// Owns the buffers of an engine and a head, so that a step allocates next to nothing. One thread at a time.
class Scheduler {
 public:
  /// Throws std::bad_alloc, which the public calls turn into an Error.
  Scheduler(std::shared_ptr<const Model::Impl> model, const SchedulerOptions& options);

  /// Advances what can be advanced; `sequences` are in order of precedence. Where the budget of the caches
  /// does not let all go on, the first do, and the last give their pages up and are read again later (with
  /// the same bits). A sequence may get several tokens, in order. Errors concern the step (kCancelled,
  /// kOutOfMemory); no sequence has a token then, `outcomes` holds those that the step ends, and it can be
  /// called again. Throws std::bad_alloc before anything has changed.
  Result<void> step(std::span<Sequence* const> sequences, const std::atomic<bool>* cancel, Timing& timing,
                    std::vector<Outcome>& outcomes);

  /// Whose hidden states read_piece() gives.
  enum class Outputs : std::uint8_t { kLast, kAll };

  /// Reads the next piece of one sequence by itself: ids[cache.length() ..], the first `prompt` of them its
  /// prompt, as much as a step may and all of one role; returns how many ids that was. hidden: of the last of
  /// the ids alone, [hidden_size], written once the piece reaches it; or of every id of the piece, [up to
  /// kStepRows][hidden_size]. Errors: those of Engine::step.
  Result<std::size_t> read_piece(std::span<const TokenId> ids, std::size_t prompt, KvSequence& cache,
                                 Outputs outputs, float* hidden, const std::atomic<bool>* cancel);

  /// Makes room for steps of so many sequences. Precondition: at most kStepRows. Throws std::bad_alloc.
  void grow(std::size_t max_sequences);

  const Model::Impl& model() const { return *model_; }
  Engine& engine() { return engine_; }
  const Engine& engine() const { return engine_; }
  const Counts& counts() const { return counts_; }
  HeadScratch& head_scratch() { return *head_scratch_; }

 private:
  using Sequences = std::span<Sequence* const>;

  void make_chunks(Sequences sequences);
  void ask(Sequences sequences);
  Result<void> compute_answers(Sequences sequences);
  void take_back(Sequences sequences);
  void take_in(Sequences sequences, Timing& timing, std::vector<Outcome>& outcomes);
  void accept(Sequence& sequence, const Piece& piece, std::span<const Result<Answer>> answers,
              std::vector<Outcome>& outcomes);
  void learn(Sequences sequences, double seconds);
  void count(double seconds, Timing& timing);

  std::shared_ptr<const Model::Impl> model_;
  Engine engine_;
  StepPlanner planner_;
  std::unique_ptr<HeadScratch> head_scratch_;
  std::size_t max_sequences_;
  std::vector<float> hidden_;  // [2 max_sequences_ + kMostGuesses][hidden_size], for each may have guidance
  std::vector<Piece> pieces_;
  std::vector<Chunk> chunks_;
  std::vector<Question> questions_;
  std::vector<Result<Answer>> answers_;
  Counts counts_;
};

}  // namespace partita
