// One request on its way: what it has said so far, how it chooses, when it ends.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "api/model_impl.h"
#include "api/serving/drafter.h"
#include "api/serving/stop_filter.h"
#include "engine/cache/kv_cache.h"
#include "partita/partita.hpp"
#include "sampling/chain/chain.h"
#include "sampling/heads/head.h"

namespace partita {

struct DraftLane;

class Sequence {
 public:
  /// The caches must outlive the sequence; `negative_cache` is for requests with guidance. context: a limit
  /// that may be tighter than the model's own. Errors: what is wrong with the request, before anything is
  /// computed; guidance without a cache for it; kCancelled.
  static Result<Sequence> create(const Model::Impl& model, const Request& request, KvSequence& cache,
                                 KvSequence* negative_cache = nullptr, std::size_t context = kNoLimit,
                                 const std::atomic<bool>* cancel = nullptr);

  /// Prompt, then generated ids. The first cache().length() of them are in the cache.
  std::span<const TokenId> ids() const { return std::span(ids_).first(ids_.size() - guesses_); }
  std::span<const TokenId> prompt() const { return ids().first(prompt_size_); }
  KvSequence& cache() const { return *cache_; }
  Finish finish() const { return finish_; }
  /// Whether it ended with kLength because there was no more context, not because it was long enough.
  bool context_full() const { return finish_ == Finish::kLength && ends_with_context_; }
  const Chain& chain() const { return chain_; }
  const TextGate& text() const { return text_; }            // gone through the prompt, and what was accepted
  std::size_t room() const { return end_ - ids().size(); }  // tokens that the answer may still have

  /// What the model reads for this sequence: prompt and answer, and with guidance the negative prompt and the
  /// same answer. The next token is asked for when both are read to their ends in one step.
  struct Track {
    std::span<const TokenId> ids;
    std::size_t prompt_size = 0;
    KvSequence* cache = nullptr;
    std::size_t pending = 0;  // ids that are not read yet; 0 when there is nothing left to do
  };
  std::size_t tracks() const { return negative_cache_ == nullptr ? 1 : 2; }
  Track track(std::size_t which) const;

  /// Ids that the model has not read yet; 0 when there is nothing left to do.
  std::size_t pending() const { return finish_ == Finish::kNone ? ids().size() - cache_->length() : 0; }

  /// Who guesses for this sequence: a smaller model, or without one what the text said before. Nobody (null)
  /// unless the request asks for it, the chain needs nothing but the ids to judge guesses, and there is one
  /// track.
  Drafter* drafter() const { return drafter_.get(); }
  bool always_guesses() const { return always_guesses_; }  // whether it pays or not
  void draft_with(const std::shared_ptr<DraftLane>& lane);

  /// Puts guesses behind ids(), to be judged by the next calls of accept(). They are no more than room().
  void guess(std::span<const Guess> guesses);
  std::size_t guesses() const { return guesses_; }
  std::span<const TokenId> ids_with_guesses() const { return ids_; }
  void drop_guesses();

  /// What this sequence asks about its next token, or about the one after so many of its guesses. hidden:
  /// [hidden_size]; negative: the same of the second track, null without one.
  Question question(const float* hidden, const float* negative, std::size_t after_guesses = 0) const;

  /// What is wrong with the answer, said of the token it is about.
  Error at_next(Error error) const;

  /// Takes the chosen token in. Its text is what may be shown now. A guess that it proves right is part of
  /// ids() from now on; if it proves one wrong, or ends the answer, there are no guesses any more.
  Token accept(const Answer& answer);

  /// Ends the answer as it is.
  void end(Finish why) { finish_ = why; }

 private:
  Sequence(const Model::Impl& model, const Request& request, KvSequence& cache, Chain chain, TextGate text)
      : tokenizer_(model.tokenizer.get()),
        cache_(&cache),
        chain_(std::move(chain)),
        state_(chain_.make_state()),
        text_(std::move(text)),
        logprobs_(request.logprobs),
        confidence_(request.confidence || request.abstain.asks()),
        abstain_(request.abstain),
        explain_(request.explain),
        seed_(request.sampling.seed),
        number_(request.sampling.sequence) {}

  const Tokenizer* tokenizer_;
  KvSequence* cache_;
  Chain chain_;
  ChainState state_;
  TextGate text_;
  int logprobs_;
  bool confidence_;
  AbstainRule abstain_;
  int explain_;
  std::uint64_t seed_, number_;
  std::vector<TokenId> ids_;  // and guesses behind them
  std::size_t guesses_ = 0;
  std::unique_ptr<Drafter> drafter_;  // null: nobody guesses
  bool always_guesses_ = false;
  std::size_t prompt_size_ = 0;
  std::size_t end_ = 0;                   // the size of ids_ at which the answer is long enough
  bool ends_with_context_ = false;        // end_ is what the context holds, less than was asked for
  KvSequence* negative_cache_ = nullptr;  // null: no guidance
  std::vector<TokenId> negative_ids_;     // negative prompt, then generated ids
  std::size_t negative_size_ = 0;         // the first so many of them are the prompt
  float guidance_scale_ = 1;
  Finish finish_ = Finish::kNone;
};

/// The public options as the chain takes them.
SamplingOptions sampling_options(const Sampling& sampling);

}  // namespace partita
