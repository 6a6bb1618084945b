// What the searches of Session::search share; one file each.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "api/serving/session_impl.h"

namespace partita {

/// A search on its way: the request, taken in by the session, and what it asks for.
struct SearchRun {
  SearchRun(Session::Impl& of, const Request& asked, const Search& how)
      : session(of), request(asked), search(how) {}

  Session::Impl& session;
  const Request& request;
  const Search& search;
  Timing timing;

  const Model::Impl& model() const { return *session.model; }
  const Sequence& sequence() const { return *session.current; }  // the prompt; answers are nowhere in it

  /// Reads ids of the prompt into the session's cache, up to `end`, with progress. hidden: [hidden_size] of
  /// the last one. `each`, where there is one, gets the hidden state of every id, and the whole prompt is
  /// read.
  Result<void> read_prompt(std::size_t end, float* hidden,
                           const std::function<void(const float*)>& each = nullptr);

  /// One generated token for each cache: ids[i] goes into caches[i]. hidden: [caches][hidden_size].
  Result<void> step(std::span<KvSequence> caches, std::span<const TokenId> ids, float* hidden);

  /// sum / length^length_penalty.
  double rank(double sum, std::size_t length) const;

  /// A complete answer of these ids: its text, its end, its joint log-probability.
  Hypothesis hypothesis(std::vector<TokenId> ids, std::vector<float> logprobs) const;

 private:
  std::vector<Chunk> chunks_;
};

/// What is wrong with an answer of the head, said of the token it is about.
Error at_token(std::size_t position, const Error& error);

Result<std::vector<Hypothesis>> beam_search(SearchRun& run);
Result<std::vector<Hypothesis>> best_of(SearchRun& run);
Result<std::vector<Hypothesis>> contrastive_search(SearchRun& run);

}  // namespace partita
