// LM heads (output layers): from hidden states to the next token. A Question is the sampling request of one
// row (a token, log-probabilities of given ids, the likeliest ids); an Answer is its result. A head that can
// answer without reading every weight, such as an adaptive softmax, need not compute the full row of logits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/adapter.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/panels.h"
#include "engine/output.h"
#include "partita/result.hpp"
#include "sampling/chain/chain.h"
#include "sampling/chain/philox.h"

namespace partita::internal {

/// The sampling request of one row: what to compute for its next token. All of it is answered exactly.
struct Question {
  const float* hidden = nullptr;      // [hidden_size], after the final norm
  const float* negative = nullptr;    // the same after the negative prompt; null: no guidance
  float guidance_scale = 1;           // of classifier-free guidance: the chain gets the row of guide()
  const Chain* chain = nullptr;       // choose a token by this chain; null: do not choose
  const ChainState* state = nullptr;  // of the chain for this sequence; null: a stateless chain
  DrawKey key;
  std::span<const std::int32_t> history;  // for the chain's stages: prompt and generated ids
  std::size_t prompt_size = 0;            // length of the prompt at the start of `history`
  std::span<const std::int32_t> score;    // ids whose log-probabilities to compute
  std::span<const std::int32_t> rank;     // ids whose ranks to compute; each is in the vocabulary
  int top = 0;                            // number of likeliest ids with log-probabilities; > vocab: all
  bool chosen_logprob = false;            // the log-probability of the chosen id
  bool confidence = false;                // the model's confidence in its likeliest id
  int explain = 0;  // number of candidates to show for each stage of the chain; 0: no explanation
  const AdapterSet* adapters = nullptr;  // of the sequence, if they change the output; null: none
};

/// The logits that the choice needs. Precondition: the question has a chain.
inline LogitsNeeded logits_needed(const Question& question) {
  return question.chain->logits_needed({question.history, question.prompt_size, question.key});
}

/// The result of a Question. Log-probabilities are natural, in the model's own distribution (before guidance
/// and chain).
struct Answer {
  Choice choice;          // id -1: not requested; probability: with chosen_logprob or explain
  float logprob = 0;      // of the chosen id, if requested
  Confidence confidence;  // if requested
  std::optional<Explanation> explanation;           // if requested
  std::vector<float> score;                         // one per Question::score
  std::vector<std::int32_t> rank;                   // one per Question::rank: 1 is the likeliest, ties by id
  std::vector<std::pair<std::int32_t, float>> top;  // likeliest first, ties by id; masked ids never
  std::size_t head_bytes = 0;  // weight bytes read for this answer, including bytes shared with other rows
};

/// Buffers of a head, reused between steps. One per engine; not for two threads at once.
class HeadScratch {
 public:
  virtual ~HeadScratch() = default;
};

class OutputHead {
 public:
  virtual ~OutputHead() = default;
  virtual std::size_t vocab_size() const = 0;
  virtual std::size_t hidden_size() const = 0;

  /// For batches of up to max_rows questions and `threads` threads. Null if memory runs out.
  virtual std::unique_ptr<HeadScratch> make_scratch(std::size_t max_rows, int threads) const = 0;

  /// answers.size() == questions.size(). A row with bad numbers fails alone: its Result carries kBadNumbers.
  /// An answer depends on its question alone, not on the rest of the batch. Other errors of a row:
  /// kInvalidArgument for an id in `score` outside the vocabulary. Throws std::bad_alloc.
  virtual void answer(std::span<const Question> questions, HeadScratch& scratch,
                      std::span<Result<Answer>> answers) const = 0;

  /// Computes full rows of logits. hidden: [rows][hidden_size]; out: [rows][vocab_size]. adapters: as in
  /// Question. Throws std::bad_alloc.
  virtual void logits(const float* hidden, std::size_t rows, const AdapterSet* adapters, HeadScratch& scratch,
                      float* out) const = 0;

  /// Weight bytes read for a single row, for the bench.
  virtual std::size_t bytes_per_row() const = 0;
};

}  // namespace partita::internal
