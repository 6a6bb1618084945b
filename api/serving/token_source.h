// What makes the tokens of a Stream, and what the two share.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "api/serving/sequence.h"
#include "partita/partita.hpp"

namespace partita {

class TokenSource {
 public:
  virtual ~TokenSource() = default;

  /// Steps until the sequence has its next token, or several, and appends them. Precondition: it is
  /// `current`, and not finished.
  virtual Result<void> next(Sequence& sequence, Timing& timing, std::deque<Token>& tokens) = 0;

  /// Gives up what `cache` holds beyond the ids that this track of the last request, `current`, and of
  /// `fresh` begin with; at least the last id of a prompt is read again, because its hidden state is what the
  /// answer starts from. roles_differ: an id that was generated is not the same where it is part of a prompt.
  void keep_common(KvSequence& cache, const Sequence& fresh, std::size_t track, bool roles_differ) const;

  /// The ids that the first track's cache holds, and how many of them were a prompt.
  struct Held {
    std::span<const TokenId> ids;
    std::size_t prompt_size = 0;
  };
  Held held(const KvSequence& cache, std::size_t track = 0) const;

  const std::atomic<bool>* cancelled() const { return cancel != nullptr ? &cancel->flag() : nullptr; }

  std::shared_ptr<Sequence> current;  // of the last generate(); caches hold what of it was read
  std::vector<TokenId> loaded;        // without one: what the first track's cache was loaded with
  std::size_t loaded_prompt = 0;      // the first so many of these were a prompt
  const CancelFlag* cancel = nullptr;
  std::function<void(std::size_t, std::size_t)> progress;
};

struct Stream::Impl {
  /// A stream of the source's current sequence.
  explicit Impl(std::shared_ptr<TokenSource> from)
      : source(std::move(from)),
        sequence(source->current),
        prompt(sequence->prompt().begin(), sequence->prompt().end()) {}

  std::shared_ptr<TokenSource> source;
  std::shared_ptr<Sequence> sequence;
  std::deque<Token> ready;  // made and not yet pulled
  std::vector<TokenId> prompt, generated;
  Timing timing;
  std::optional<Error> failed;

  Finish finish() const { return ready.empty() ? sequence->finish() : Finish::kNone; }
  bool is_current() const { return source->current == sequence; }
};

}  // namespace partita
