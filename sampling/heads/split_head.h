// Heads that answer some questions from few logits, and the others from whole rows.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "sampling/heads/head.h"

namespace partita {

/// How a question is answered.
enum class Way : std::uint8_t {
  kWhole,        // from the whole row
  kFew,          // from few logits
  kFewAndWhole,  // its choice, a draw from the model's own softmax, from few logits, all else from the whole
                 // row
};

/// The id of an answer that few logits did not tell: the whole row is asked then.
inline constexpr std::int32_t kUndecided = -2;

class SplitHead : public OutputHead {
 public:
  /// whole: the head that computes rows.
  explicit SplitHead(std::unique_ptr<OutputHead> whole) : whole_(std::move(whole)) {}

  std::size_t vocab_size() const override { return whole_->vocab_size(); }
  std::size_t hidden_size() const override { return whole_->hidden_size(); }

  std::unique_ptr<HeadScratch> make_scratch(std::size_t max_rows, int threads) const override;
  void answer(std::span<const Question> questions, HeadScratch& scratch,
              std::span<Result<Answer>> answers) const override;
  void logits(const float* hidden, std::size_t rows, HeadScratch& scratch, float* out) const override;

 protected:
  /// The way of the choice depends on guidance, chain, history and hidden state alone: whatever else is
  /// asked for, the token is the same.
  virtual Way way(const Question& question) const = 0;

  /// Null when there is no such memory.
  virtual std::unique_ptr<HeadScratch> make_few_scratch(std::size_t max_rows, int threads) const = 0;

  /// Of questions that go by kFew, or by kFewAndWhole: those are stripped of all but their choice. Where the
  /// whole row chooses the same, the choice of a question that goes by kFew may be kUndecided.
  virtual void answer_few(std::span<const Question> questions, HeadScratch& scratch,
                          std::span<Result<Answer>> answers) const = 0;

 private:
  std::unique_ptr<OutputHead> whole_;
};

/// Whether a question asks for more than a choice and the scores of given ids.
bool asks_for_more(const Question& question);

/// A question for its choice alone.
Question choice_of(const Question& question);

}  // namespace partita
