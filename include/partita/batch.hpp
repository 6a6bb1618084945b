// Continuous batching: many requests share each step of one model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "partita/cancel.hpp"
#include "partita/export.hpp"
#include "partita/model.hpp"
#include "partita/request.hpp"
#include "partita/result.hpp"
#include "partita/token.hpp"

namespace partita {

/// Limits of a batch. Errors of Model::batch(): kInvalidArgument naming the option, its value and its limits.
struct BatchOptions {
  std::size_t max_sequences = 16;  // that run together; others wait; 1 .. 512
  std::size_t step_tokens = 512;  // token budget of a step, prompts and answers; max_sequences (and 2) .. 512
  /// Chunked prefill: while answers run, a step reads as much of the waiting prompts as makes it take at most
  /// this many times as long as without. At least 1; infinity: as much as step_tokens allow.
  double most_delay = 2.5;
  /// Size of the prefix cache, in bytes: KV cache pages that complete requests leave for prompts with the
  /// same beginning. Part of OpenOptions::cache_bytes; evicted when running requests need the memory. 0: no
  /// prefix cache.
  std::size_t prefix_bytes = std::size_t{512} << 20;
  /// The draft model of speculative decoding, with the same vocabulary (Request::speculation); without one,
  /// prompt lookup.
  std::optional<Model> draft = std::nullopt;
};

/// Continuous batching with chunked prefill: prompt chunks and generated tokens of many requests share each
/// step. An answer does not depend on batch composition, on the prefix cache, or on when its request came.
/// One thread at a time.
///
/// The first max_sequences requests by priority, then age, run. A request that is preempted for lack of
/// memory or by priority is read again later. Every running answer gets a token in every step that has rows
/// and memory for it. Of P prompts being read, those whose rest is at most a P-th of the step's rows and time
/// for prompts are read at once; the first of the others gets what is left. A prompt that shares whole pages
/// with one being read waits for it and reuses them. docs/many_sequences.md says more.
class PARTITA_API Batch {
 public:
  using Ticket = std::uint64_t;  // identifies a request in its batch; never reused

  /// What a step did for one request: a token, the end of the answer (maybe both), or an error.
  struct Event {
    Ticket ticket = 0;
    std::optional<Token> token;     // a token of this request
    std::optional<Error> error;     // this request failed and is removed; the others go on
    Finish finish = Finish::kNone;  // the request is complete
  };

  /// Queues a request. Errors: what is wrong with this request, as of Session::generate().
  Result<Ticket> add(const Request& request);
  void cancel(Ticket ticket) noexcept;   // removes the request; unknown tickets are ignored
  std::size_t running() const noexcept;  // admitted and waiting
  /// How many tokens the prompt of a request has; 0 once the request is gone.
  std::size_t prompt_tokens(Ticket ticket) const noexcept;
  bool full() const noexcept;  // max_sequences are running

  /// One step for all; appends its events. Errors (kCancelled, kOutOfMemory) concern the step, which can be
  /// called again.
  Result<void> advance(std::vector<Event>& events);
  void set_cancel(const CancelFlag* flag) noexcept;  // must outlive the batch, or null
  const Timing& timing() const noexcept;
  const Counts& counts() const noexcept;

  struct Impl;
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;
  ~Batch();

 private:
  friend class Model;
  explicit Batch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace partita
