// The implementation of Stream: queues the tokens of one answer.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "api/serving/token_source.h"

namespace partita {
using namespace internal;

struct Stream::Impl {
  /// A stream of the source's current sequence.
  explicit Impl(std::shared_ptr<TokenSource> from)
      : source(std::move(from)),
        sequence(source->current),
        prompt(sequence->prompt().begin(), sequence->prompt().end()) {}

  std::shared_ptr<TokenSource> source;
  std::shared_ptr<Sequence> sequence;
  std::deque<Token> ready;  // not yet pulled
  std::vector<TokenId> prompt, generated;
  Timing timing;
  std::optional<Error> failed;

  Finish finish() const { return ready.empty() ? sequence->finish() : Finish::kNone; }
  bool is_current() const { return source->current == sequence; }
};

}  // namespace partita
