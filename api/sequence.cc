#include "api/sequence.h"

#include <algorithm>

namespace partita {

Result<Sequence> Sequence::create(const Model::Impl& model, const Request& request, KvSequence& cache) {
  const std::size_t vocabulary = model.info.vocab_size;
  if (request.logprobs > 0 && static_cast<std::size_t>(request.logprobs) > vocabulary) {
    return Error{ErrorCode::kInvalidArgument, "logprobs is " + std::to_string(request.logprobs) +
                                                  ", more than the vocabulary of " +
                                                  std::to_string(vocabulary)};
  }
  SamplingOptions options = sampling_options(request.sampling);
  options.constraint = request.constraint;
  auto chain = Chain::create(options, model.vocabulary.get());
  if (!chain) return chain.error();
  auto text = TextGate::create(*model.tokenizer, request.stop);
  if (!text) return text.error();
  auto prompt = model.prompt_ids(request);
  if (!prompt) return prompt.error();

  Sequence sequence(model, request, cache, std::move(*chain), std::move(*text));
  sequence.ids_ = std::move(*prompt);
  sequence.prompt_size_ = sequence.ids_.size();
  sequence.text_.prime(sequence.ids_);
  const std::size_t room = model.info.context_length - sequence.prompt_size_;
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
  return question;
}

Token Sequence::accept(const Answer& answer) {
  Token token;
  token.id = answer.choice.id;
  if (logprobs_ >= 0) {
    token.logprob = answer.logprob;
    token.top = answer.top;
  }
  chain_.accept(answer.choice, state_);
  ids_.push_back(token.id);
  if (tokenizer_->ends_generation(token.id)) {
    finish_ = Finish::kEos;
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
