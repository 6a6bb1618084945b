// Many requests at once; part of partita.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "partita/partita.hpp"

namespace partita {

struct BatchOptions {
  std::size_t max_sequences = 16;  // that run together; others wait; 1 .. 512
  std::size_t step_tokens = 512;   // of one step at most, prompts and answers; max_sequences (and 2) .. 512
  /// While answers run, so much of the waiting prompts is read in each step that it takes at most so many
  /// times what it would take without; at least 1, infinity: as much as step_tokens allow.
  double most_delay = 2.5;
  /// What may stay in the caches of prompts and answers that are complete, for prompts that begin alike;
  /// within OpenOptions::cache_bytes, and given up where others need it. 0: nothing is shared between
  /// requests.
  std::size_t prefix_bytes = std::size_t{512} << 20;
  /// A smaller model of the same vocabulary that guesses at what comes next (Request::speculation).
  std::optional<Model> draft = std::nullopt;
};

/// Many requests at once, advanced together: prompts in pieces and generated tokens share each step. What a
/// request gets does not depend on its company, on what was read before, or on when it came. One thread at a
/// time.
///
/// Who runs: the max_sequences first by priority, then age; one that falls behind is read again later. Every
/// running answer gets a token in every step that has rows and memory for it. Of P prompts that are being
/// read, those whose rest is no more than a P-th of the step's rows and time for prompts are read at once;
/// the first of the others gets what is left. A prompt that begins with whole pages of one being read waits
/// for it, and takes them up. docs/many_sequences.md says more.
class PARTITA_API Batch {
 public:
  using Ticket = std::uint64_t;

  struct Event {
    Ticket ticket = 0;
    std::optional<Token> token;     // a token of this request
    std::optional<Error> error;     // the request failed, alone; it is gone
    Finish finish = Finish::kNone;  // the request is complete
  };

  /// Queues a request. Errors: what is wrong with it alone.
  Result<Ticket> add(const Request& request);
  void cancel(Ticket ticket) noexcept;
  std::size_t running() const noexcept;  // admitted and waiting
  /// How many tokens the prompt of a request has; 0 once the request is gone.
  std::size_t prompt_tokens(Ticket ticket) const noexcept;
  bool full() const noexcept;  // max_sequences are running

  /// One step for all; appends what happened. Errors (kCancelled) concern the step; it can be called again.
  Result<void> advance(std::vector<Event>& events);
  void set_cancel(const CancelFlag* flag) noexcept;
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
