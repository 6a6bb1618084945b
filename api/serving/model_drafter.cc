#include "api/serving/model_drafter.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "api/clock.h"
#include "api/serving/acceptance_rates.h"

namespace partita::internal {
namespace {

using Ids = std::span<const std::int32_t>;

constexpr std::size_t kCallsBetweenTrials = 64;  // while drafting does not pay

constexpr std::size_t kBuckets = 8;

/// The bucket of a draft token by how likely the draft model thought it.
std::size_t bucket_of(float logprob) {
  return std::min(static_cast<std::size_t>(std::exp(static_cast<double>(logprob)) * kBuckets), kBuckets - 1);
}

class ModelDrafter final : public Drafter {
 public:
  ModelDrafter(std::shared_ptr<DraftRuntime> runtime, const Chain& chain, DrawKey key,
               std::size_t prompt_size, std::size_t most_tokens)
      : runtime_(std::move(runtime)),
        cache_(runtime_->pool),
        chain_(chain),
        key_(key),
        prompt_size_(prompt_size) {
    cache_.set_rope_limit(runtime_->model->transformer->config().rope_limit(most_tokens));
    draft_.reserve(kMaxDraftTokens);
    logprobs_.reserve(kMaxDraftTokens);
  }

  std::span<const DraftToken> draft(Ids ids, const DraftTerms& terms) override {
    learn(ids);
    draft_.clear();
    logprobs_.clear();
    const bool pays = all_.of(0) * terms.per_token > terms.per_row + seconds_;
    if (!pays && ++calls_ % kCallsBetweenTrials != 0) return draft_;
    const auto same = std::mismatch(read_.begin(), read_.end(), ids.begin(), ids.end()).first - read_.begin();
    cache_.truncate(std::min(cache_.length(), static_cast<std::size_t>(same)));
    read_.assign(ids.begin(), ids.end());
    const std::size_t tokens_left =
        runtime_->model->info.context_length - std::min(runtime_->model->info.context_length, ids.size());
    double probability = 1;
    for (std::size_t n = std::min({terms.max_tokens, kMaxDraftTokens, tokens_left}); n > 0; --n) {
      if (!add_draft_token()) break;
      probability *= draft_.back().probability;
      if (probability * terms.per_token <= terms.per_row + seconds_) break;
    }
    return draft_;
  }

 private:
  /// Reads the rest of read_, and appends the draft model's next token. False, without a token, if there is
  /// more to read than one step takes, or after an error.
  bool add_draft_token() {
    const auto start = std::chrono::steady_clock::now();
    if (cache_.length() == read_.size()) cache_.truncate(read_.size() - 1);
    const std::size_t unread = read_.size() - cache_.length();
    // One prompt chunk a call, and in the same call the ids after the prompt.
    for (int chunk = 0; chunk < 2 && cache_.length() < read_.size(); ++chunk) {
      const auto done = runtime_->scheduler.read_chunk(read_, prompt_size_, cache_, Scheduler::Outputs::kLast,
                                                       runtime_->hidden.data(), nullptr);
      release_unseen(*runtime_->model, cache_);
      if (!done || cache_.length() < std::min(prompt_size_, read_.size())) return false;
    }
    if (cache_.length() < read_.size()) return false;
    Question question;
    question.hidden = runtime_->hidden.data();
    question.chain = &chain_;
    question.key = key_;
    question.key.position = read_.size();
    question.history = read_;
    question.prompt_size = prompt_size_;
    question.chosen_logprob = true;
    Result<Answer> answer = Answer{};
    runtime_->model->head->answer({&question, 1}, runtime_->scheduler.head_scratch(), {&answer, 1});
    if (!answer) return false;
    read_.push_back(answer->choice.id);  // may throw; the others have capacity
    draft_.push_back({answer->choice.id, rates_.of(bucket_of(answer->logprob))});
    logprobs_.push_back(answer->logprob);
    if (unread == 1) seconds_ += (seconds_since(start) - seconds_) / (seconds_ == 0 ? 1 : 8);
    return true;
  }

  void learn(Ids ids) {
    const std::size_t asked = read_.size() - draft_.size();
    for (std::size_t i = 0; i < draft_.size() && asked + i < ids.size(); ++i) {
      const bool right = ids[asked + i] == draft_[i].id;
      rates_.learn(bucket_of(logprobs_[i]), right);
      all_.learn(0, right);
      if (!right) break;
    }
  }

  std::shared_ptr<DraftRuntime> runtime_;
  KvSequence cache_;
  const Chain chain_;
  const DrawKey key_;
  const std::size_t prompt_size_;
  AcceptanceRates<kBuckets> rates_{{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9}, 16};
  AcceptanceRates<1> all_{{0.7}, 16};
  std::vector<std::int32_t> read_;  // ids of the last call, then its draft
  std::vector<DraftToken> draft_;
  std::vector<float> logprobs_;  // [draft_], of the draft model
  double seconds_ = 0;           // that a draft token takes
  std::size_t calls_ = 0;        // without a draft
};

}  // namespace

std::unique_ptr<Drafter> make_model_drafter(std::shared_ptr<DraftRuntime> runtime, const Sequence& sequence) {
  return std::make_unique<ModelDrafter>(std::move(runtime), sequence.chain(), sequence.draw_key(),
                                        sequence.prompt().size(), sequence.most_tokens());
}

}  // namespace partita::internal
