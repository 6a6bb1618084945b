// Output heads: from hidden states to answers about the next token. A head answers questions, so that one
// which can do so without reading every weight need not fill a row of logits for that: the likeliest ids and
// the scores of given ones are such questions. A chain of stages chooses from a whole row.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/kernels/kernels.h"
#include "engine/kernels/panels.h"
#include "engine/output.h"
#include "partita/result.hpp"
#include "sampling/chain/chain.h"
#include "sampling/chain/philox.h"
#include "sampling/heads/screen.h"

namespace partita {

/// What one row wants to know about its next token. Everything asked for is answered exactly.
struct Question {
  const float* hidden = nullptr;      // [hidden_size], after the final norm
  const float* negative = nullptr;    // the same after the negative prompt; null: no guidance
  float guidance_scale = 1;           // with it, the chain gets the row that guide() makes of both
  const Chain* chain = nullptr;       // choose a token by this chain; null: do not choose
  const ChainState* state = nullptr;  // of the chain for this sequence; null: one that remembers nothing
  DrawKey key;
  std::span<const std::int32_t> history;  // for the chain's stages: prompt and generated ids
  std::size_t prompt_size = 0;            // the first so many of `history` are the prompt
  std::span<const std::int32_t> score;    // ids whose log-probabilities are wanted
  std::span<const std::int32_t> rank;     // ids whose ranks are wanted; each is in the vocabulary
  int top = 0;                  // how many of the likeliest ids, with log-probabilities; > vocab: all
  bool chosen_logprob = false;  // and that of the chosen id
  bool confidence = false;      // how sure the model is of its likeliest id
  int explain = 0;              // how many candidates to show of every stage of the chain; 0: no explanation
};

/// What the choice of a question that has a chain depends on.
inline Reach reach_of(const Question& question) {
  return question.chain->reach({question.history, question.prompt_size, question.key});
}

/// Log-probabilities are natural, of the model's own distribution (before guidance and chain).
struct Answer {
  Choice choice;          // id -1: none was asked for; probability: with chosen_logprob or explain
  float logprob = 0;      // of the chosen id, if asked for
  Confidence confidence;  // if asked for
  std::optional<Explanation> explanation;           // if asked for
  std::vector<float> score;                         // one per Question::score
  std::vector<std::int32_t> rank;                   // one per Question::rank: 1 is the likeliest, ties by id
  std::vector<std::pair<std::int32_t, float>> top;  // likeliest first, ties by id; masked ids never
  std::size_t head_bytes = 0;  // of weights that this answer looked at; what others share with it included
};

/// Buffers of a head, reused from step to step. One per engine; not for two threads at once.
class HeadScratch {
 public:
  virtual ~HeadScratch() = default;
};

class OutputHead {
 public:
  virtual ~OutputHead() = default;
  virtual std::size_t vocab_size() const = 0;
  virtual std::size_t hidden_size() const = 0;

  /// For batches of up to max_rows questions answered by `threads` threads. Null when there is no such
  /// memory.
  virtual std::unique_ptr<HeadScratch> make_scratch(std::size_t max_rows, int threads) const = 0;

  /// answers.size() == questions.size(). A row whose numbers are bad fails alone: its Result carries
  /// kBadNumbers. What a row gets depends on its question alone, not on its neighbours. Other errors of a
  /// row: kInvalidArgument for an id in `score` outside the vocabulary.
  virtual void answer(std::span<const Question> questions, HeadScratch& scratch,
                      std::span<Result<Answer>> answers) const = 0;

  /// For who insists on every logit. hidden: [rows][hidden_size]; out: [rows][vocab_size].
  virtual void logits(const float* hidden, std::size_t rows, HeadScratch& scratch, float* out) const = 0;

  /// Weight bytes read for one row alone, for the bench.
  virtual std::size_t bytes_per_row() const = 0;
};

/// The plain head: one matrix, every logit (row_head.h). `matrix` must outlive it.
std::unique_ptr<OutputHead> make_dense_head(const PackedMatrix& matrix, const Kernels& kernels);

/// The adaptive head, and that of class-based softmax: only the clusters that a question needs are read. Its
/// logits are log-probabilities. Greedy, top-k, min-p and scores are answered to the bit as from the whole
/// row; a draw from the whole softmax takes a way of its own (adaptive_draw.h), whatever else is asked for.
/// `weights`, of kind kAdaptive, must outlive it.
std::unique_ptr<OutputHead> make_adaptive_head(const OutputWeights& weights, const Kernels& kernels);

/// The head of a tree of decisions: the likeliest words are found from the root, a draw at temperature 1
/// walks down one path, a score is one path; all else from whole rows of log-probabilities. `weights`, of
/// kind kTree, must outlive it.
std::unique_ptr<OutputHead> make_tree_head(const OutputWeights& weights, const Kernels& kernels);

/// The head of a mixture of softmaxes: whole rows of log-probabilities, all contexts in one pass over the
/// words; a draw at temperature 1 is one from the softmax of one context. `weights`, of kind kMixture, must
/// outlive it.
std::unique_ptr<OutputHead> make_mixture_head(const OutputWeights& weights, const Kernels& kernels);

/// The head of the kind that `weights` are of, which must outlive it.
std::unique_ptr<OutputHead> make_head(const OutputWeights& weights, const Kernels& kernels);

/// The screened head: answers, to the bit, what the plain one does. A question that needs few logits
/// (Chain::reach: the largest, those near it, a draw from the whole row or, mostly, from its nucleus) is
/// answered from those that a screen of the matrix does not rule out, computed by the kernels that the plain
/// head uses; all others by the plain head. Both must outlive it. certificate: what the screen's bounds rest
/// on. Not for exact_kernels().
std::unique_ptr<OutputHead> make_screened_head(const PackedMatrix& matrix, const Screen& screen,
                                               Certificate certificate, const Kernels& kernels);

/// The budgeted head: of every row `words` logits, those that a screen of the matrix takes for the largest,
/// and the screen's estimates of all others; whole panels of words. Any question is answered from such a row,
/// and no answer is certain. Both must outlive it. Not for exact_kernels().
std::unique_ptr<OutputHead> make_budgeted_head(const PackedMatrix& matrix, const Screen& screen,
                                               std::size_t words, const Kernels& kernels);

}  // namespace partita
