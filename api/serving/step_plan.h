// Plans a step of continuous batching: prompt chunks (chunked prefill), one row for every running answer,
// draft tokens (speculative decoding), and which sequences are preempted when the KV cache budget is full.
#pragma once

#include <limits>
#include <span>
#include <vector>

#include "api/serving/sequence.h"
#include "api/serving/step_cost.h"
#include "engine/cache/prefix_cache.h"
#include "engine/step.h"

namespace partita::internal {

/// The most rows of a step, and so the most tokens of a prompt chunk.
inline constexpr std::size_t kStepRows = 512;

/// The most draft tokens in one step, of all sequences.
inline constexpr std::size_t kMaxDraftTokensPerStep = 32;

struct SchedulerOptions {
  std::size_t max_sequences = 1;  // in 1 .. kStepRows
  std::size_t step_rows = kStepRows;
  double most_delay = std::numeric_limits<double>::infinity();  // BatchOptions::most_delay
  PrefixCache* prefixes = nullptr;  // of the sequences' pool; outlives the scheduler; null: none
};

/// What a step did to sequences[index]: a token, or an error that ends this sequence alone.
struct Outcome {
  std::size_t index = 0;
  Result<Token> token;
  Finish finish = Finish::kNone;  // after this token
};

/// The next `count` ids of a track of a sequence, all of one role, and draft tokens after them. (The engine's
/// Chunk is made of it.)
struct PlannedChunk {
  std::size_t index = 0;
  std::size_t track = 0;
  std::size_t count = 0;
  Role role = Role::kPrompt;
  bool asks = false;             // it ends with the last known id: the next token is chosen
  std::size_t draft_tokens = 0;  // after it, each with an output of its own
  std::size_t outputs() const { return asks ? 1 + draft_tokens : 0; }
};

/// Shares the rows and the time of each step among sequences. Not for two threads at once.
class StepPlanner {
 public:
  StepPlanner(const SchedulerOptions& options, std::size_t layers, std::size_t first_prompt_rows,
              bool roles_differ);

  using Sequences = std::span<Sequence* const>;

  /// Fills `chunks`, in order of sequences: reuses cached prefixes, drafts tokens, and reserves cache pages.
  /// Where the KV cache budget is too small for all, the last sequences are preempted. outcomes: errors of
  /// sequences that can never continue.
  void plan(Sequences sequences, Timing& timing, std::vector<PlannedChunk>& chunks,
            std::vector<Outcome>& outcomes);

  /// After the step: inserts new whole pages into the prefix cache.
  void keep_prefixes(Sequences sequences, std::span<const PlannedChunk> chunks);

  /// Learns from the time of a step. answers: rows of answers and draft tokens.
  void learn(const StepRows& answers, const StepRows& prompts, double seconds) {
    cost_.learn(answers, prompts, seconds);
  }

  /// The most rows of a prompt chunk after `depth` tokens, in a step without answers.
  std::size_t prompt_rows(std::size_t depth) const;

 private:
  /// A sequence's share of the step.
  struct Share {
    std::size_t rows = 0;
    bool answers = false;  // its next token is chosen
    bool reads = false;    // it reads a prompt chunk, if rows are left for it
  };

  /// Rows and time of a step that prompts may use.
  struct PromptBudget {
    std::size_t rows = 0;
    double seconds = std::numeric_limits<double>::infinity();
  };

  std::span<const TokenId> keys(const Sequence::Track& track);
  void reuse_prefixes(Sequences sequences, Timing& timing);
  bool waits_for_prefix(Sequences sequences, std::size_t index) const;
  std::size_t snapshot_border(Sequences sequences, std::size_t index, std::size_t which, std::size_t start);
  PromptBudget prompt_budget(std::size_t taken, const StepRows& answers) const;
  std::size_t fitting_rows(const Sequence& sequence, const PromptBudget& allowed) const;
  void share_out(Sequences sequences);
  void share_out_prompts(Sequences sequences, PromptBudget left, std::size_t prompts);
  void add_drafts(Sequences sequences);
  std::size_t best_draft_size(std::span<const DraftToken> draft, StepRows rows, const StepRows& one,
                              double tokens) const;
  void plan_answer(Sequences sequences, std::size_t index);
  void plan_reading(Sequences sequences, std::size_t index);
  bool add_chunk(Sequences sequences, std::size_t index, std::size_t which, std::size_t rows);
  bool evict_for(Sequences sequences, PlannedChunk& chunk);
  bool others_hold_pages(Sequences sequences, std::size_t index) const;

  const SchedulerOptions options_;
  const double max_seconds_;             // that the prompt rows of a step may take
  const std::size_t first_prompt_rows_;  // until their time has been measured
  const bool roles_differ_;
  StepCost cost_;
  std::vector<Share> shares_;              // [sequences]
  std::vector<std::size_t> long_prompts_;  // indices of prompts that need several steps
  std::vector<TokenId> keys_;
  std::vector<PlannedChunk>* chunks_ = nullptr;  // of the step being planned
  std::vector<Outcome>* outcomes_ = nullptr;     // of that step
};

}  // namespace partita::internal
