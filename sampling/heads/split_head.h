// LM heads that answer some questions from few logits, and the others from full rows.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "sampling/heads/head.h"

namespace partita::internal {

/// How a question is answered.
enum class Route : std::uint8_t {
  kFullRow,        // from the full row
  kFewLogits,      // from few logits
  kFewAndFullRow,  // its choice, a draw from the model's own softmax, from few logits, all else from the full
                   // row
};

/// The id of an answer that few logits do not determine; SplitHead then answers from the full row.
inline constexpr std::int32_t kUndecided = -2;

class SplitHead : public OutputHead {
 public:
  /// full: the head that computes full rows.
  explicit SplitHead(std::unique_ptr<OutputHead> full) : full_(std::move(full)) {}

  std::size_t vocab_size() const override { return full_->vocab_size(); }
  std::size_t hidden_size() const override { return full_->hidden_size(); }

  std::unique_ptr<HeadScratch> make_scratch(std::size_t max_rows, int threads) const override;
  void answer(std::span<const Question> questions, HeadScratch& scratch,
              std::span<Result<Answer>> answers) const override;
  void logits(const float* hidden, std::size_t rows, const AdapterSet* adapters, HeadScratch& scratch,
              float* out) const override;

 protected:
  /// The route of the choice. It must depend on guidance, chain, history and hidden state alone, so that
  /// other requests do not change the token. It is asked for questions without adapters, whose choice the
  /// full row gives.
  virtual Route route(const Question& question) const = 0;

  /// Null if memory runs out.
  virtual std::unique_ptr<HeadScratch> make_few_scratch(std::size_t max_rows, int threads) const = 0;

  /// Answers questions of route kFewLogits, and of route kFewAndFullRow reduced to their choice. The choice
  /// may be kUndecided for route kFewLogits if the full row gives the same token.
  virtual void answer_few(std::span<const Question> questions, HeadScratch& scratch,
                          std::span<Result<Answer>> answers) const = 0;

 private:
  std::unique_ptr<OutputHead> full_;
};

/// Whether a question requests more than a choice and the scores of given ids.
bool asks_for_more(const Question& question);

/// The question reduced to its choice.
Question choice_of(const Question& question);

}  // namespace partita::internal
