// The state of one request in flight: its ids and KV cache, its sampler chain, its draft tokens, its end.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "api/loaded_model.h"
#include "api/serving/drafter.h"
#include "api/serving/stop_filter.h"
#include "engine/cache/kv_cache.h"
#include "partita/partita.hpp"
#include "sampling/chain/chain.h"
#include "sampling/heads/head.h"

namespace partita::internal {

class Sequence {
 public:
  /// The caches must outlive the sequence; `negative_cache` is for requests with guidance. context: a limit
  /// in tokens that applies if it is below the model's own. Nothing is computed yet, but a cache becomes
  /// empty if its keys are not rotated for the request's limit (KvSequence::rope_limit()), or were computed
  /// with other adapters. Errors: what is wrong with the request; guidance without a cache for it;
  /// kCancelled.
  static Result<Sequence> create(const LoadedModel& model, const Request& request, KvSequence& cache,
                                 KvSequence* negative_cache = nullptr, std::size_t context = kNoLimit,
                                 const std::atomic<bool>* cancel = nullptr);

  /// Prompt, then generated ids. The first cache().length() of them are in the cache.
  std::span<const TokenId> ids() const { return std::span(ids_).first(ids_.size() - draft_size_); }
  std::span<const TokenId> prompt() const { return ids().first(prompt_size_); }
  KvSequence& cache() const { return *cache_; }
  Finish finish() const { return finish_; }
  /// Whether it ended with kLength because the context is full, not because max_tokens was reached.
  bool context_full() const { return finish_ == Finish::kLength && ends_with_context_; }
  const Chain& chain() const { return chain_; }
  DrawKey draw_key() const { return {seed_, number_, ids().size()}; }  // of the next token
  const StopFilter& text() const { return text_; }                 // after the prompt and all accepted tokens
  std::size_t tokens_left() const { return end_ - ids().size(); }  // of the answer, at most
  /// The limit of the request: the tokens that its longer text can have, prompt and answer.
  std::size_t most_tokens() const { return end_ + std::max(negative_size_, prompt_size_) - prompt_size_; }

  /// A text that the model reads for this sequence: prompt and answer, and with guidance a second one,
  /// negative prompt and answer. The next token is chosen in the step that reads the last id of every track.
  struct Track {
    std::span<const TokenId> ids;
    std::size_t prompt_size = 0;
    KvSequence* cache = nullptr;
    std::size_t pending = 0;  // ids that the model has not read; 0 once the answer has ended
  };
  std::size_t tracks() const { return negative_cache_ == nullptr ? 1 : 2; }
  Track track(std::size_t which) const;

  /// Ids of the first track that the model has not read; 0 once the answer has ended.
  std::size_t pending() const { return finish_ == Finish::kNone ? ids().size() - cache_->length() : 0; }

  /// The drafter of this sequence: a draft model, or prompt lookup. Null without speculative decoding: if the
  /// request turns it off, the chain has state beyond the ids, or there is guidance.
  Drafter* drafter() const { return drafter_.get(); }
  bool always_speculates() const { return always_speculates_; }  // even if it saves no time
  /// Replaces prompt lookup by another drafter. Precondition: drafter() is not null.
  void set_drafter(std::unique_ptr<Drafter> drafter) { drafter_ = std::move(drafter); }

  /// Appends draft tokens after ids(), to be verified by the next calls of accept(). Precondition: no more
  /// than tokens_left().
  void add_draft(std::span<const DraftToken> draft);
  std::size_t draft_size() const { return draft_size_; }
  std::span<const TokenId> ids_with_draft() const { return ids_; }
  void drop_draft();

  /// The head's question for the next token, or for the one after `draft_tokens` of the draft. hidden:
  /// [hidden_size]; negative: the same of the second track, null without one.
  Question question(const float* hidden, const float* negative, std::size_t draft_tokens = 0) const;

  /// An error of the head, with the position of the next token before its message.
  Error at_next(const Error& error) const;

  /// Appends the chosen token; its text is what the stop filter releases. If it equals the next draft token,
  /// that one is accepted into ids(). If it differs, or ends the answer, the draft is dropped.
  Token accept(const Answer& answer);

  /// Ends the answer without another token.
  void end(Finish why) { finish_ = why; }

 private:
  Sequence(const LoadedModel& model, const Request& request, KvSequence& cache, Chain chain, StopFilter text)
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
  StopFilter text_;
  int logprobs_;
  bool confidence_;
  AbstainRule abstain_;
  int explain_;
  bool adapts_head_ = false;  // the cache's adapters change the output
  std::uint64_t seed_, number_;
  std::vector<TokenId> ids_;  // ids(), then draft tokens
  std::size_t draft_size_ = 0;
  std::unique_ptr<Drafter> drafter_;  // null: no speculative decoding
  bool always_speculates_ = false;
  std::size_t prompt_size_ = 0;
  std::size_t end_ = 0;                   // size of ids() at which the answer ends
  bool ends_with_context_ = false;        // end_ is the context's, below max_tokens
  KvSequence* negative_cache_ = nullptr;  // null: no guidance
  std::vector<TokenId> negative_ids_;     // negative prompt, then generated ids
  std::size_t negative_size_ = 0;         // of the negative prompt
  float guidance_scale_ = 1;
  Finish finish_ = Finish::kNone;
};

}  // namespace partita::internal
