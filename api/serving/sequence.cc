#include "api/serving/sequence.h"

#include <algorithm>
#include <cmath>

#include "api/adapters/adapters.h"
#include "api/sampling.h"
#include "api/serving/prompt_lookup.h"
#include "sampling/chain/numbers.h"
#include "weights/catch_all.h"
#include "weights/sentence.h"
#include "weights/try.h"

namespace partita::internal {

namespace {

/// The ids that the second track begins with.
Result<std::vector<TokenId>> negative_prompt(const LoadedModel& model, const Request& request, TokenId last) {
  Request negative;
  negative.prompt = request.negative_prompt;
  negative.ids = request.negative_ids;
  negative.parse_specials = request.parse_specials;
  if (negative.prompt.empty() && negative.ids.empty()) negative.ids = {last};
  auto ids = model.prompt_ids(negative);
  if (!ids) return at_place(ids.error(), "the negative prompt");
  return ids;
}

}  // namespace

Result<Sequence> Sequence::create(const LoadedModel& model, const Request& request, KvSequence& cache,
                                  KvSequence* negative_cache, std::size_t context,
                                  const std::atomic<bool>* cancel) {
  TRY(check(request));
  auto adapters = adapter_set(model, request.adapters);
  if (!adapters) return adapters.error();
  const std::size_t vocabulary = model.info.vocab_size;
  if (request.logprobs > 0 && static_cast<std::size_t>(request.logprobs) > vocabulary) {
    return invalid("logprobs is ", request.logprobs, ", more than the vocabulary of ", vocabulary);
  }
  if (request.guidance_scale != 1 && negative_cache == nullptr) {
    return invalid("guidance_scale is ", to_text(request.guidance_scale),
                   ", but guidance cannot be used in searches and ensembles: set 1");
  }
  SamplingOptions options = sampling_options(request.sampling);
  options.constraint = request.constraint;
  auto chain = Chain::create(options, model.vocabulary.get());
  if (!chain) return chain.error();
  auto text = StopFilter::create(*model.tokenizer, request.stop);
  if (!text) return text.error();
  auto prompt = model.prompt_ids(request, context, cancel);
  if (!prompt) return prompt.error();

  Sequence sequence(model, request, cache, std::move(*chain), std::move(*text));
  sequence.ids_ = std::move(*prompt);
  sequence.prompt_size_ = sequence.ids_.size();
  sequence.text_.prime(sequence.ids_);
  const std::size_t limit = std::min(model.info.context_length, context);
  std::size_t tokens_left = limit - sequence.prompt_size_;
  if (request.guidance_scale != 1) {
    auto negative = negative_prompt(model, request, sequence.ids_.back());
    if (!negative) return negative.error();
    sequence.guidance_scale_ = request.guidance_scale;
    sequence.negative_cache_ = negative_cache;
    sequence.negative_ids_ = std::move(*negative);
    sequence.negative_size_ = sequence.negative_ids_.size();
    tokens_left = std::min(tokens_left, limit - sequence.negative_size_);
  }
  const std::size_t wanted =
      request.max_tokens < 0 ? tokens_left : static_cast<std::size_t>(request.max_tokens);
  sequence.end_ = sequence.prompt_size_ + std::min(tokens_left, wanted);
  sequence.ends_with_context_ = request.max_tokens < 0 || wanted > tokens_left;
  if (wanted == 0) sequence.finish_ = Finish::kLength;
  if (request.speculation != Speculation::kNever && sequence.negative_cache_ == nullptr &&
      !sequence.state_.remembers()) {
    sequence.drafter_ = make_prompt_lookup();
    sequence.always_speculates_ = request.speculation == Speculation::kAlways;
  }
  const std::uint32_t rope_limit = model.transformer->config().rope_limit(sequence.most_tokens());
  cache.set_rope_limit(rope_limit);
  cache.set_adapters(*adapters);
  sequence.adapts_head_ = model.head_adapters(cache) != nullptr;
  if (sequence.negative_cache_ != nullptr) {
    negative_cache->set_rope_limit(rope_limit);
    negative_cache->set_adapters(*adapters);
  }
  return sequence;
}

Sequence::Track Sequence::track(std::size_t which) const {
  Track track = which == 0 ? Track{ids(), prompt_size_, cache_, 0}
                           : Track{negative_ids_, negative_size_, negative_cache_, 0};
  if (finish_ == Finish::kNone) track.pending = track.ids.size() - track.cache->length();
  return track;
}

void Sequence::add_draft(std::span<const DraftToken> draft) {
  for (const DraftToken& token : draft) {
    ids_.push_back(token.id);
    ++draft_size_;  // one by one: push_back may throw
  }
}

void Sequence::drop_draft() {
  ids_.resize(ids_.size() - draft_size_);
  draft_size_ = 0;
}

Question Sequence::question(const float* hidden, const float* negative, std::size_t draft_tokens) const {
  const auto history = std::span(ids_).first(ids().size() + draft_tokens);
  Question question;
  question.hidden = hidden;
  question.negative = negative;
  question.guidance_scale = guidance_scale_;
  question.chain = &chain_;
  question.state = &state_;
  question.key = {seed_, number_, history.size()};
  question.history = history;
  question.prompt_size = prompt_size_;
  question.chosen_logprob = logprobs_ >= 0;
  question.top = std::max(logprobs_, 0);
  question.confidence = confidence_;
  question.explain = explain_;
  if (adapts_head_) question.adapters = cache_->adapters();
  return question;
}

Error Sequence::at_next(const Error& error) const {
  return at_place(error, "token ", ids().size(), " of the sequence");
}

Token Sequence::accept(const Answer& answer) {
  Token token;
  token.id = answer.choice.id;
  token.probability = answer.choice.probability;
  if (logprobs_ >= 0) {
    token.logprob = answer.logprob;
    token.top = answer.top;
  }
  if (confidence_) {
    token.confidence = answer.confidence;
    token.unsure = abstain_.unsure(answer.confidence);
  }
  token.explanation = answer.explanation;
  token.head_bytes = answer.head_bytes;
  chain_.accept(answer.choice, state_);
  if (draft_size_ > 0 && ids_[ids().size()] == token.id) {
    --draft_size_;
  } else {
    drop_draft();
    ids_.push_back(token.id);
  }
  if (negative_cache_ != nullptr) negative_ids_.push_back(token.id);
  if (tokenizer_->ends_generation(token.id)) {
    finish_ = Finish::kEos;
  } else if (token.unsure && abstain_.stops) {
    finish_ = Finish::kAbstain;
  } else {
    token.text = text_.push(token.id);
    if (text_.stopped()) {
      finish_ = Finish::kStop;
    } else if (ids().size() >= end_) {
      finish_ = Finish::kLength;
    }
  }
  if (finish_ != Finish::kNone) {
    token.text += text_.finish();
    if (text_.stopped()) finish_ = Finish::kStop;
    drop_draft();
  }
  return token;
}

}  // namespace partita::internal
