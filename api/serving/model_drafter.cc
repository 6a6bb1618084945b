#include "api/serving/model_drafter.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "api/clock.h"

namespace partita {
namespace {

using Ids = std::span<const std::int32_t>;

constexpr std::size_t kMostGuesses = 16;
constexpr std::size_t kCallsBetweenTrials = 64;  // where guesses do not pay

/// How often guesses were right, by how likely the model thought them.
class HitRates {
 public:
  double of(float logprob) const { return rates_[bucket(logprob)]; }
  void learn(float logprob, bool right) {
    for (double* rate : {&rates_[bucket(logprob)], &all_}) *rate += ((right ? 1.0 : 0.0) - *rate) / kMemory;
  }
  double all() const { return all_; }

 private:
  static constexpr std::size_t kBuckets = 8;
  static constexpr double kMemory = 16;  // guesses
  static std::size_t bucket(float logprob) {
    return std::min(static_cast<std::size_t>(std::exp(static_cast<double>(logprob)) * kBuckets),
                    kBuckets - 1);
  }
  std::array<double, kBuckets> rates_ = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9};
  double all_ = 0.7;
};

class ModelDrafter final : public Drafter {
 public:
  ModelDrafter(std::shared_ptr<DraftLane> lane, const Chain& chain, DrawKey key, std::size_t prompt_size)
      : lane_(std::move(lane)), cache_(lane_->pool), chain_(chain), key_(key), prompt_size_(prompt_size) {
    guesses_.reserve(kMostGuesses);
    logprobs_.reserve(kMostGuesses);
  }

  std::span<const Guess> guess(Ids ids, const GuessTerms& terms) override {
    learn(ids);
    guesses_.clear();
    logprobs_.clear();
    const bool pays = rates_.all() * terms.per_token > terms.per_row + seconds_;
    if (!pays && ++calls_ % kCallsBetweenTrials != 0) return guesses_;
    const auto same = std::mismatch(read_.begin(), read_.end(), ids.begin(), ids.end()).first - read_.begin();
    cache_.truncate(std::min(cache_.length(), static_cast<std::size_t>(same)));
    read_.assign(ids.begin(), ids.end());
    const std::size_t room =
        lane_->model->info.context_length - std::min(lane_->model->info.context_length, ids.size());
    double probability = 1;
    for (std::size_t n = std::min({terms.most, kMostGuesses, room}); n > 0; --n) {
      if (!add_guess()) break;
      probability *= guesses_.back().probability;
      if (probability * terms.per_token <= terms.per_row + seconds_) break;
    }
    return guesses_;
  }

 private:
  /// Reads what is unread of read_, and appends what it would go on with. False if there is more to read than
  /// one step takes, or nothing to be had: there is no guess then.
  bool add_guess() {
    const auto start = std::chrono::steady_clock::now();
    if (cache_.length() == read_.size()) cache_.truncate(read_.size() - 1);
    const std::size_t unread = read_.size() - cache_.length();
    // A piece of the prompt at a time, with what follows the prompt's end.
    for (int piece = 0; piece < 2 && cache_.length() < read_.size(); ++piece) {
      const auto done = lane_->scheduler.read_piece(read_, prompt_size_, cache_, Scheduler::Outputs::kLast,
                                                    lane_->hidden.data(), nullptr);
      release_unseen(*lane_->model, cache_);
      if (!done || cache_.length() < std::min(prompt_size_, read_.size())) return false;
    }
    if (cache_.length() < read_.size()) return false;
    Question question;
    question.hidden = lane_->hidden.data();
    question.chain = &chain_;
    question.key = key_;
    question.key.position = read_.size();
    question.history = read_;
    question.prompt_size = prompt_size_;
    question.chosen_logprob = true;
    Result<Answer> answer = Answer{};
    lane_->model->head->answer({&question, 1}, lane_->scheduler.head_scratch(), {&answer, 1});
    if (!answer) return false;
    read_.push_back(answer->choice.id);  // may throw; the others have room
    guesses_.push_back({answer->choice.id, rates_.of(answer->logprob)});
    logprobs_.push_back(answer->logprob);
    if (unread == 1) seconds_ += (seconds_since(start) - seconds_) / (seconds_ == 0 ? 1 : 8);
    return true;
  }

  void learn(Ids ids) {
    const std::size_t asked = read_.size() - guesses_.size();
    for (std::size_t i = 0; i < guesses_.size() && asked + i < ids.size(); ++i) {
      const bool right = ids[asked + i] == guesses_[i].id;
      rates_.learn(logprobs_[i], right);
      if (!right) break;
    }
  }

  std::shared_ptr<DraftLane> lane_;
  KvSequence cache_;
  const Chain chain_;
  const DrawKey key_;
  const std::size_t prompt_size_;
  HitRates rates_;
  std::vector<std::int32_t> read_;  // ids of the last call and the guesses after them
  std::vector<Guess> guesses_;
  std::vector<float> logprobs_;  // [guesses_], by the smaller model
  double seconds_ = 0;           // that a guess takes
  std::size_t calls_ = 0;        // that went unanswered
};

}  // namespace

std::unique_ptr<Drafter> make_model_drafter(std::shared_ptr<DraftLane> lane, const Chain& chain, DrawKey key,
                                            std::size_t prompt_size) {
  return std::make_unique<ModelDrafter>(std::move(lane), chain, key, prompt_size);
}

}  // namespace partita
