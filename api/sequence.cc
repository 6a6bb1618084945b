#include "api/sequence.h"

#include <algorithm>

#include "api/guard.h"
#include "sampling/numbers.h"

namespace partita {

namespace {

Error out_of_limits(const char* name, float value, const char* limits) {
  return {ErrorCode::kInvalidArgument,
          std::string(name) + " is " + to_text(value) + ", but it must be " + limits};
}

Result<void> check(const AbstainRule& rule) {
  if (!(rule.min_probability >= 0 && rule.min_probability <= 1)) {
    return out_of_limits("min_probability", rule.min_probability, "at least 0 (off) and at most 1");
  }
  if (!(rule.min_margin >= 0 && rule.min_margin <= 1)) {
    return out_of_limits("min_margin", rule.min_margin, "at least 0 (off) and at most 1");
  }
  if (!(rule.max_entropy >= 0)) return out_of_limits("max_entropy", rule.max_entropy, "0 or more (inf: off)");
  return {};
}

}  // namespace

Result<Sequence> Sequence::create(const Model::Impl& model, const Request& request, KvSequence& cache,
                                  std::size_t context) {
  const std::size_t vocabulary = model.info.vocab_size;
  if (request.logprobs > 0 && static_cast<std::size_t>(request.logprobs) > vocabulary) {
    return Error{ErrorCode::kInvalidArgument, "logprobs is " + std::to_string(request.logprobs) +
                                                  ", more than the vocabulary of " +
                                                  std::to_string(vocabulary)};
  }
  if (auto rule = check(request.abstain); !rule) return rule.error();
  if (request.explain < 0) {
    return Error{ErrorCode::kInvalidArgument,
                 "explain is " + std::to_string(request.explain) + ", but it must be 0 (off) or more"};
  }
  auto chain = Chain::create(sampling_options(request.sampling));
  if (!chain) return chain.error();
  auto text = TextGate::create(*model.tokenizer, request.stop);
  if (!text) return text.error();
  auto prompt = model.prompt_ids(request, context);
  if (!prompt) return prompt.error();

  Sequence sequence(model, request, cache, std::move(*chain), std::move(*text));
  sequence.ids_ = std::move(*prompt);
  sequence.prompt_size_ = sequence.ids_.size();
  sequence.text_.prime(sequence.ids_);
  const std::size_t room = std::min(model.info.context_length, context) - sequence.prompt_size_;
  const std::size_t wanted = request.max_tokens < 0 ? room : static_cast<std::size_t>(request.max_tokens);
  sequence.end_ = sequence.prompt_size_ + std::min(room, wanted);
  if (wanted == 0) sequence.finish_ = Finish::kLength;
  return sequence;
}

Question Sequence::question(const float* hidden) const {
  Question question;
  question.hidden = hidden;
  question.chain = &chain_;
  question.state = &state_;
  question.key = {seed_, number_, ids_.size()};
  question.history = ids_;
  question.prompt_size = prompt_size_;
  question.chosen_logprob = logprobs_ >= 0;
  question.top = std::max(logprobs_, 0);
  question.confidence = confidence_;
  question.explain = explain_;
  return question;
}

Error Sequence::at_next(Error error) const {
  error.message = "token " + std::to_string(ids_.size()) + " of the sequence: " + error.message;
  return error;
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
  chain_.accept(answer.choice, state_);
  ids_.push_back(token.id);
  if (tokenizer_->ends_generation(token.id)) {
    finish_ = Finish::kEos;
  } else if (token.unsure && abstain_.stops) {
    finish_ = Finish::kAbstain;
  } else {
    token.text = text_.push(token.id);
    if (text_.stopped()) {
      finish_ = Finish::kStop;
    } else if (ids_.size() >= end_) {
      finish_ = Finish::kLength;
    }
  }
  if (finish_ != Finish::kNone) {
    token.text += text_.finish();
    if (text_.stopped()) finish_ = Finish::kStop;
  }
  return token;
}

}  // namespace partita
