// One request on its way: what it has said so far, how it chooses, when it ends.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "api/model_impl.h"
#include "api/text_gate.h"
#include "engine/kv_cache.h"
#include "partita/partita.hpp"
#include "sampling/chain.h"
#include "sampling/head.h"

namespace partita {

class Sequence {
 public:
  /// The caches must outlive the sequence; `negative_cache` is for requests with guidance. Errors: what is
  /// wrong with the request, before anything is computed; guidance without a cache for it.
  static Result<Sequence> create(const Model::Impl& model, const Request& request, KvSequence& cache,
                                 KvSequence* negative_cache = nullptr);

  /// Prompt, then generated ids. The first cache().length() of them are in the cache.
  std::span<const TokenId> ids() const { return ids_; }
  std::span<const TokenId> prompt() const { return ids().first(prompt_size_); }
  KvSequence& cache() const { return *cache_; }
  Finish finish() const { return finish_; }

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
  std::size_t pending() const { return finish_ == Finish::kNone ? ids_.size() - cache_->length() : 0; }

  /// What this sequence asks about its next token. hidden: [hidden_size]; negative: the same of the second
  /// track, null without one.
  Question question(const float* hidden, const float* negative) const;

  /// Takes the chosen token in. Its text is what may be shown now.
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
        seed_(request.sampling.seed),
        number_(request.sampling.sequence) {}

  const Tokenizer* tokenizer_;
  KvSequence* cache_;
  Chain chain_;
  ChainState state_;
  TextGate text_;
  int logprobs_;
  std::uint64_t seed_, number_;
  std::vector<TokenId> ids_;
  std::size_t prompt_size_ = 0;
  std::size_t end_ = 0;                   // the size of ids_ at which the answer is long enough
  KvSequence* negative_cache_ = nullptr;  // null: no guidance
  std::vector<TokenId> negative_ids_;     // negative prompt, then generated ids
  std::size_t negative_size_ = 0;         // the first so many of them are the prompt
  float guidance_scale_ = 1;
  Finish finish_ = Finish::kNone;
};

/// The public options as the chain takes them.
SamplingOptions sampling_options(const Sampling& sampling);

}  // namespace partita
