// The shared part of searches (beam search, best of n, contrastive search), each in a file of its own.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "api/serving/session.h"

namespace partita::internal {

/// The state of a running search. The session's current sequence has the prompt.
struct SearchRun {
  SearchRun(Session::Impl& of, const Request& asked, const Search& how)
      : session(of), request(asked), search(how) {}

  Session::Impl& session;
  const Request& request;
  const Search& search;
  Timing timing;

  const LoadedModel& model() const { return *session.model; }
  const Sequence& sequence() const { return *session.current; }  // the prompt; it never has an answer

  /// Reads the prompt up to index `end` into the session's cache, and reports progress. hidden: [hidden_size]
  /// of the last id. `each` is called with the hidden state of every id; with it, cached ids are read again.
  Result<void> read_prompt(std::size_t end, float* hidden,
                           const std::function<void(const float*)>& each = nullptr);

  /// One generated token for each cache: ids[i] goes into caches[i]. hidden: [caches][hidden_size].
  Result<void> step(std::span<KvSequence> caches, std::span<const TokenId> ids, float* hidden);

  /// sum / length^length_penalty.
  double rank(double sum, std::size_t length) const;

  /// The Hypothesis of a complete answer: text, finish, joint log-probability, score.
  Hypothesis hypothesis(std::vector<TokenId> ids, std::vector<float> logprobs) const;

 private:
  std::vector<Chunk> chunks_;
};

/// An error of the head, with the position of the token before its message.
Error at_token(std::size_t position, const Error& error);

Result<std::vector<Hypothesis>> beam_search(SearchRun& run);
Result<std::vector<Hypothesis>> best_of(SearchRun& run);
Result<std::vector<Hypothesis>> contrastive_search(SearchRun& run);

}  // namespace partita::internal
