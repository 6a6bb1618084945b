// Several models that answer together; part of partita.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "partita/partita.hpp"

namespace partita {

/// A model and its part in an ensemble: weights are brought to a sum of 1. One of weight 0 is not run.
struct EnsembleMember {
  Model model;
  float weight = 1;
};

/// What is averaged: probabilities, log sum_i w_i softmax(logits_i); or logits, sum_i w_i logits_i, whose
/// softmax is the normalized geometric mean of the members' distributions. docs/ensembles.md says more.
enum class EnsembleSpace : std::uint8_t { kProbability, kLogit };

/// Several models of one vocabulary that answer together: at every token each gives its logits, and one
/// distribution, their weighted mean, goes through the samplers, temperature included, and answers
/// Request::logprobs. Prompts are tokenized, templates taken and ends of answers told as the first member
/// does. Every member has a cache of its own, which remembers as a Session's. One thread at a time.
class PARTITA_API Ensemble {
 public:
  static constexpr std::size_t kMaxMembers = 16;

  /// Errors: kInvalidArgument for no members or more than kMaxMembers, a weight that is negative or not
  /// finite, weights that are all 0, a model without weights (text_only), or vocabularies that differ, naming
  /// the first id that does and what it is in both.
  static Result<Ensemble> create(std::vector<EnsembleMember> members, EnsembleSpace space);

  /// As Session::generate(), without guidance. The context is that of the member with the shortest. With one
  /// member the ids are those of its Session; in logit space log-probabilities too, to the bit.
  Result<Stream> generate(const Request& request);

  void set_cancel(const CancelFlag* flag) noexcept;  // must outlive the ensemble, or null
  /// Called during prefill with (tokens read, tokens in all), summed over the members.
  void set_progress(std::function<void(std::size_t, std::size_t)> progress) noexcept;
  void reset() noexcept;

  struct Impl;
  Ensemble(Ensemble&&) noexcept;
  Ensemble& operator=(Ensemble&&) noexcept;
  ~Ensemble();

 private:
  explicit Ensemble(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // shared with its Stream alone
};

}  // namespace partita
