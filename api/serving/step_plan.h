// What goes into a step: which of the sequences read how many of their ids, and guess how many more.
#pragma once

#include <limits>
#include <span>
#include <vector>

#include "api/serving/sequence.h"
#include "api/serving/step_cost.h"
#include "engine/cache/prefix_cache.h"
#include "engine/step.h"

namespace partita {

/// A step has at most this many rows; prompts go through the engine in pieces of at most as many tokens.
inline constexpr std::size_t kStepRows = 512;

/// Guesses in one step, of all sequences.
inline constexpr std::size_t kMostGuesses = 32;

struct SchedulerOptions {
  std::size_t max_sequences = 1;  // in 1 .. kStepRows
  std::size_t step_rows = kStepRows;
  double most_delay = std::numeric_limits<double>::infinity();  // BatchOptions::most_delay
  PrefixCache* prefixes = nullptr;  // of the pool that the sequences are in; outlives the scheduler
};

/// What happened to sequences[index]: a token, or an error that ends it alone.
struct Outcome {
  std::size_t index = 0;
  Result<Token> token;
  Finish finish = Finish::kNone;  // after this token
};

/// The next `count` ids of a track of a sequence, all of one role, and guesses behind them.
struct Piece {
  std::size_t index = 0;
  std::size_t track = 0;
  std::size_t count = 0;
  Role role = Role::kPrompt;
  bool asks = false;        // its last id is the last one known: the next token is wanted
  std::size_t guesses = 0;  // and those after so many more
  std::size_t outputs() const { return asks ? 1 + guesses : 0; }
};

/// Not for two threads at once.
class StepPlanner {
 public:
  StepPlanner(const SchedulerOptions& options, std::size_t layers, std::size_t first_prompt_rows,
              bool roles_differ);

  using Sequences = std::span<Sequence* const>;

  /// Takes up what others have read, makes guesses, and reserves room in the caches for `pieces`, in order of
  /// sequences. Where the budget does not let all go on, the last give their pages up. outcomes: of those
  /// that can never go on.
  void plan(Sequences sequences, Timing& timing, std::vector<Piece>& pieces, std::vector<Outcome>& outcomes);

  /// After the step: whole pages are kept for others.
  void keep_prefixes(Sequences sequences, std::span<const Piece> pieces);

  /// Learns from a step: rows of answers and guesses, and of prompts.
  void learn(const StepRows& answers, const StepRows& prompts, double seconds) {
    cost_.learn(answers, prompts, seconds);
  }

  /// The most prompt rows that follow `depth` tokens, in a step without answers.
  std::size_t prompt_rows(std::size_t depth) const;

 private:
  /// What a sequence may have of the step.
  struct Share {
    std::size_t rows = 0;
    bool answers = false;  // it is asked for its next token
    bool reads = false;    // it reads its prompt, if there are rows for it
  };

  /// What prompts may have of a step.
  struct Allowance {
    std::size_t rows = 0;
    double seconds = std::numeric_limits<double>::infinity();
  };

  std::span<const TokenId> keys(const Sequence::Track& track);
  void take_up_prefixes(Sequences sequences, Timing& timing);
  bool waits_for_prefix(Sequences sequences, std::size_t index) const;
  Allowance allowance(std::size_t taken, const StepRows& answers) const;
  std::size_t fitting_rows(const Sequence& sequence, const Allowance& allowed) const;
  void share_out(Sequences sequences);
  void share_out_prompts(Sequences sequences, Allowance left, std::size_t prompts);
  void guess(Sequences sequences);
  std::size_t worthwhile(std::span<const Guess> guesses, StepRows rows, const StepRows& one,
                         double tokens) const;
  void plan_answer(Sequences sequences, std::size_t index);
  void plan_reading(Sequences sequences, std::size_t index);
  bool add_piece(Sequences sequences, std::size_t index, std::size_t which, std::size_t rows);
  bool make_room(Sequences sequences, Piece& piece);
  bool others_hold_pages(Sequences sequences, std::size_t index) const;

  const SchedulerOptions options_;
  const double most_seconds_;            // what the prompt rows of a step may take
  const std::size_t first_prompt_rows_;  // until their time is known
  const bool roles_differ_;
  StepCost cost_;
  std::vector<Share> shares_;           // [sequences]
  std::vector<std::size_t> long_ones_;  // of the prompts being shared out
  std::vector<TokenId> keys_;
  std::vector<Piece>* pieces_ = nullptr;      // of the step being planned
  std::vector<Outcome>* outcomes_ = nullptr;  // and what it comes to
};

}  // namespace partita
