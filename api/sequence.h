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
  /// `cache` must outlive the sequence. Errors: what is wrong with the request, before anything is computed.
  static Result<Sequence> create(const Model::Impl& model, const Request& request, KvSequence& cache);

  /// Prompt, then generated ids. The first cache().length() of them are in the cache.
  std::span<const TokenId> ids() const { return ids_; }
  std::span<const TokenId> prompt() const { return ids().first(prompt_size_); }
  KvSequence& cache() const { return *cache_; }
  Finish finish() const { return finish_; }
  const Chain& chain() const { return chain_; }
  const TextGate& text() const { return text_; }           // gone through the prompt, and what was accepted
  std::size_t room() const { return end_ - ids_.size(); }  // tokens that the answer may still have

  /// Ids that the model has not read yet; 0 when there is nothing left to do.
  std::size_t pending() const { return finish_ == Finish::kNone ? ids_.size() - cache_->length() : 0; }

  /// What this sequence asks about its next token. hidden: [hidden_size].
  Question question(const float* hidden) const;

  /// Takes the chosen token in. Its text is what may be shown now.
  Token accept(const Answer& answer);

  /// Ends the answer as it is.
  void end(Finish why) { finish_ = why; }

 private:
  Sequence(const Model::Impl& model, const Request& request, KvSequence& cache, Chain chain, TextGate text)
      : tokenizer_(model.tokenizer.get()),
        cache_(&cache),
        chain_(std::move(chain)),
        text_(std::move(text)),
        logprobs_(request.logprobs),
        seed_(request.sampling.seed),
        number_(request.sampling.sequence) {}

  const Tokenizer* tokenizer_;
  KvSequence* cache_;
  Chain chain_;
  TextGate text_;
  int logprobs_;
  std::uint64_t seed_, number_;
  std::vector<TokenId> ids_;
  std::size_t prompt_size_ = 0;
  std::size_t end_ = 0;  // the size of ids_ at which the answer is long enough
  Finish finish_ = Finish::kNone;
};

/// The public options as the chain takes them.
SamplingOptions sampling_options(const Sampling& sampling);

}  // namespace partita
