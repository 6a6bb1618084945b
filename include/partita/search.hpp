// Decoding by search instead of drawing: beam search (also diverse), best of n, contrastive search. The entry
// point is Session::search().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "partita/export.hpp"
#include "partita/request.hpp"
#include "partita/result.hpp"
#include "partita/token.hpp"

namespace partita {

/// When a beam search ends: transformers' `early_stopping`. All three wait until there are as many complete
/// answers as beams (of a group). Then kTrue ends at once; kFalse when the best beam, at its present length,
/// is no better than the worst complete answer; kNever when no beam could become better at any length up to
/// the limit.
enum class EarlyStopping : std::uint8_t { kFalse, kTrue, kNever };

/// Which search, and its parameters: beams, best_of or penalty_alpha, with the other two at their defaults.
/// docs/search.md has the formulas.
struct Search {
  int beams = 1;                // 1 .. 512
  float length_penalty = 1.0F;  // score = joint log-probability / length^length_penalty; -10 .. 10
  EarlyStopping early_stopping = EarlyStopping::kFalse;
  int groups = 1;                  // of beams, all of one size (Vijayakumar et al. 2016)
  float diversity_penalty = 0.0F;  // for each beam of earlier groups that takes the same token; 0 .. 1e6
  int n_best = 1;                  // answers to return; at most beams or best_of
  int best_of = 0;                 // > 0: this many answers are drawn by Sampling and ranked; at most 512
  float penalty_alpha = 0.0F;  // > 0, at most 1: contrastive search (Su et al. 2022) among top_k, 2 .. 512
};

/// Checks what needs no model. Errors: kInvalidArgument, as Session::search() gives it.
PARTITA_API Result<void> check(const Request& request, const Search& search);

/// One answer that a search found.
struct Hypothesis {
  std::vector<TokenId> ids;     // including the end token, if one ended it
  std::string text;             // up to the stop string, if one ended it
  std::vector<float> logprobs;  // of ids[i], natural, of the model's own distribution
  double sum_logprob = 0;       // the joint log-probability: their sum
  /// Answers are ranked by it: sum_logprob / length^length_penalty. In a beam search with diversity penalties
  /// or samplers, sum_logprob is taken after these.
  double score = 0;
  Finish finish = Finish::kNone;
};

/// What Session::search() found.
struct SearchResult {
  std::vector<TokenId> prompt_ids;
  std::vector<Hypothesis> answers;  // best first; at least one
  Timing timing;
};

}  // namespace partita
