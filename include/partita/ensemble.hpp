// Model ensembles: several models of one vocabulary whose distributions are averaged at every token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "partita/cancel.hpp"
#include "partita/export.hpp"
#include "partita/model.hpp"
#include "partita/request.hpp"
#include "partita/result.hpp"
#include "partita/session.hpp"

namespace partita {

/// A model and its weight in an ensemble. Weights are normalised to a sum of 1. A model of weight 0 is not
/// run.
struct EnsembleMember {
  Model model;
  float weight = 1;
};

/// What is averaged: probabilities, log sum_i w_i softmax(logits_i); or logits, sum_i w_i logits_i, whose
/// softmax is the normalized geometric mean of the members' distributions. docs/ensembles.md says more.
enum class EnsembleSpace : std::uint8_t { kProbability, kLogit };

/// Several models of one vocabulary. At every token each computes its logits; the weighted mean of their
/// distributions goes through the samplers, temperature included, and answers Request::logprobs. The first
/// member's tokenizer, chat template and end tokens are used. Every member has its own KV cache, kept between
/// requests as a Session's. One thread at a time.
class PARTITA_API Ensemble {
 public:
  static constexpr std::size_t kMaxMembers = 16;

  /// Errors: kInvalidArgument for no members or more than kMaxMembers, a weight that is negative or not
  /// finite, weights that are all 0, a model without weights (text_only), or vocabularies that differ, naming
  /// the first id that differs and its token in both.
  static Result<Ensemble> create(std::vector<EnsembleMember> members, EnsembleSpace space);

  /// As Session::generate(), without guidance. The context is the shortest of the members'. With one member
  /// the ids are those of its Session; in logit space also the log-probabilities, to the bit.
  Result<Stream> generate(const Request& request);

  void set_cancel(const CancelFlag* flag) noexcept;  // must outlive the ensemble, or null
  /// Called during prefill with (tokens read, prompt tokens), summed over the members.
  void set_progress(std::function<void(std::size_t, std::size_t)> progress) noexcept;
  void reset() noexcept;  // empties the caches

  struct Impl;
  Ensemble(Ensemble&&) noexcept;
  Ensemble& operator=(Ensemble&&) noexcept;
  ~Ensemble();

 private:
  explicit Ensemble(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // shared with its Stream alone
};

}  // namespace partita
