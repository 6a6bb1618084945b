// From requests to ragged steps: prompts in pieces and generated tokens of many sequences share each step.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "api/model_impl.h"
#include "api/sequence.h"
#include "engine/step.h"
#include "partita/partita.hpp"
#include "sampling/head.h"

namespace partita {

/// A step has at most this many rows; prompts go through the engine in pieces of at most as many tokens.
inline constexpr std::size_t kStepRows = 512;

/// Cancelling is noticed before every layer, so a layer must not take long: prompt pieces are made as large
/// as this many seconds a layer allow. (What a token gets does not depend on the size of the piece it came
/// in.)
inline constexpr double kLayerSeconds = 0.05;

/// Owns the buffers of an engine and a head, so that a step allocates next to nothing. One thread at a time.
class Scheduler {
 public:
  /// max_sequences: in 1 .. kStepRows. Throws std::bad_alloc, which the public calls turn into an Error.
  Scheduler(std::shared_ptr<const Model::Impl> model, std::size_t max_sequences);

  /// What happened to sequences[index]: a token, or an error that ends it alone.
  struct Outcome {
    std::size_t index = 0;
    Result<Token> token;
  };

  /// Advances what can be advanced; `sequences` are in order of age. Where the budget of the caches does not
  /// let all go on, the oldest do, and the youngest give their pages up and are read again later (with the
  /// same bits). Errors concern the step (kCancelled); no sequence has changed then.
  Result<void> step(std::span<Sequence* const> sequences, const std::atomic<bool>* cancel, Timing& timing,
                    std::vector<Outcome>& outcomes);

  const Model::Impl& model() const { return *model_; }
  Engine& engine() { return engine_; }

 private:
  /// The next `count` ids of a track of a sequence, all of one role.
  struct Piece {
    std::size_t index = 0;
    std::size_t track = 0;
    std::size_t count = 0;
    Role role = Role::kPrompt;
    bool asks = false;  // its last id is the last one known: the next token is wanted
  };
  void plan(std::span<Sequence* const> sequences, std::vector<Outcome>& outcomes);
  bool add_piece(std::span<Sequence* const> sequences, std::size_t index, std::size_t which, std::size_t rows,
                 std::vector<Outcome>& outcomes);
  bool make_room(std::span<Sequence* const> sequences, const Piece& piece, std::vector<Outcome>& outcomes);
  void answer(std::span<Sequence* const> sequences, std::vector<Outcome>& outcomes);
  void adapt_pieces(std::size_t prompt_rows, double seconds);

  std::shared_ptr<const Model::Impl> model_;
  Engine engine_;
  std::unique_ptr<HeadScratch> head_scratch_;
  std::size_t prompt_rows_;    // of one step, by what the last one took
  std::vector<float> hidden_;  // [2 max_sequences][hidden_size], for each may have guidance
  std::vector<Piece> pieces_;
  std::vector<Chunk> chunks_;
  std::vector<Question> questions_;
  std::vector<Result<Answer>> answers_;
};

}  // namespace partita
