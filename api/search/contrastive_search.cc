// Contrastive search (Su et al. 2022): one step reads the k likeliest tokens in k forks of the KV cache. The
// token is chosen that is likely and whose hidden state differs from all before it.
#include <cmath>

#include "api/search/search.h"
#include "api/trace_nan.h"
#include "sampling/search/contrastive.h"
#include "weights/try.h"

namespace partita::internal {
namespace {

class Driver {
 public:
  explicit Driver(SearchRun& run)
      : run_(run),
        k_(static_cast<std::size_t>(run.request.sampling.top_k)),
        width_(run.model().info.hidden_size),
        scratch_(run.model().head_scratch(1)),
        history_(width_),
        hidden_(k_ * width_),
        text_(run.sequence().text()) {}

  Result<std::vector<Hypothesis>> search() {
    const auto prompt = run_.sequence().prompt();
    auto read = run_.read_prompt(prompt.size(), hidden_.data(), [&](const float* h) { history_.add(h); });
    if (!read) return read.error();
    caches_.push_back(run_.session.cache.fork());
    for (bool more = true; more;) {
      if (auto asked = ask(); !asked) return at_token(prompt.size() + ids_.size(), asked.error());
      fork();
      TRY(run_.step(caches_, candidates_, hidden_.data()));
      take(choose());
      more = !complete();
    }
    std::vector<Hypothesis> answers;
    answers.push_back(run_.hypothesis(std::move(ids_), std::move(logprobs_)));
    return answers;
  }

 private:
  /// The candidates that may follow the state in hidden_[0].
  Result<void> ask() {
    Question question;
    question.hidden = hidden_.data();
    question.top = static_cast<int>(k_);
    question.adapters = run_.model().head_adapters(run_.session.cache);
    run_.model().head->answer({&question, 1}, *scratch_, {&answer_, 1});
    if (!answer_) {
      const auto prompt = run_.sequence().prompt();
      std::vector<TokenId> ids(prompt.begin(), prompt.end());
      ids.insert(ids.end(), ids_.begin(), ids_.end());
      return traced(run_.model(), answer_.error(), hidden_.data(), ids, prompt.size(),
                    run_.session.cancelled());
    }
    candidates_.clear();
    for (const auto& [id, logprob] : answer_->top) candidates_.push_back(id);
    return {};
  }

  /// A copy of the one cache for each candidate.
  void fork() {
    while (caches_.size() < candidates_.size()) caches_.push_back(caches_[0].fork());
  }

  std::size_t choose() {
    scores_.clear();
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      scores_.push_back({std::exp(static_cast<double>(answer_->top[i].second)),
                         history_.closest(hidden_.data() + i * width_)});
    }
    return choose_contrastive(scores_, static_cast<double>(run_.search.penalty_alpha));
  }

  void take(std::size_t chosen) {
    ids_.push_back(candidates_[chosen]);
    logprobs_.push_back(answer_->top[chosen].second);
    if (chosen != 0) {
      std::swap(caches_[0], caches_[chosen]);
      std::copy_n(hidden_.data() + chosen * width_, width_, hidden_.data());
    }
    caches_.erase(caches_.begin() + 1, caches_.end());
    history_.add(hidden_.data());
  }

  bool complete() {
    if (run_.model().tokenizer->ends_generation(ids_.back())) return true;
    text_.push(ids_.back());
    return text_.stopped() || ids_.size() >= run_.sequence().tokens_left();
  }

  SearchRun& run_;
  const std::size_t k_, width_;
  std::unique_ptr<HeadScratch> scratch_;
  HiddenHistory history_;
  std::vector<float> hidden_;  // [k_][width_] of the candidates; [0] is that of the last token taken
  StopFilter text_;
  std::vector<KvSequence> caches_;  // of the candidates; [0] alone between steps
  Result<Answer> answer_ = Answer{};
  std::vector<TokenId> candidates_;
  std::vector<ContrastiveCandidate> scores_;
  std::vector<TokenId> ids_;
  std::vector<float> logprobs_;
};

}  // namespace

Result<std::vector<Hypothesis>> contrastive_search(SearchRun& run) { return Driver(run).search(); }

}  // namespace partita::internal
