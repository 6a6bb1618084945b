// TokenSource produces the tokens of a Stream: a session or an ensemble.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "api/serving/sequence.h"
#include "partita/partita.hpp"

namespace partita::internal {

class TokenSource {
 public:
  virtual ~TokenSource() = default;

  /// Runs steps until the sequence has at least one more token, and appends its tokens. Precondition: it is
  /// `current`, and not finished. Errors: those of a step, and of the sequence.
  virtual Result<void> next(Sequence& sequence, Timing& timing, std::deque<Token>& tokens) = 0;

  /// Truncates `cache` to the ids that this track of the last request and of `fresh` both begin with. The
  /// last id of a prompt is always read again, because the answer starts from its hidden state. roles_differ:
  /// a generated id has other keys and values than the same id in a prompt.
  void keep_common(KvSequence& cache, const Sequence& fresh, std::size_t track, bool roles_differ) const;

  /// The ids that a track's cache holds, and how many of them were a prompt.
  struct Held {
    std::span<const TokenId> ids;
    std::size_t prompt_size = 0;
  };
  Held held(const KvSequence& cache, std::size_t track = 0) const;

  const std::atomic<bool>* cancelled() const { return cancel != nullptr ? &cancel->flag() : nullptr; }

  std::shared_ptr<Sequence> current;  // of the last generate(); the caches hold its ids that were read
  std::vector<TokenId> loaded;        // without `current`: the ids of a loaded session
  std::size_t loaded_prompt = 0;      // how many of these were a prompt
  const CancelFlag* cancel = nullptr;
  std::function<void(std::size_t, std::size_t)> progress;
};

}  // namespace partita::internal
