// Constrained decoding: an interface that masks tokens, step by step. Grammars and schemas are built on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace partita {

/// Decides which tokens may follow in one sequence. Request::constraint is a prototype: each answer to the
/// request gets a fork() of it, and the prototype itself never changes. Only one thread at a time calls a
/// fork; several threads may call different forks at once.
///
/// accept() is called for the tokens of the answer, not for the prompt. An exception from a constraint ends
/// that answer alone, with an error that carries what(); a constraint that allows no token ends it likewise.
/// The constraint must also allow the answer to end: it treats Model::end_ids() like other ids.
class Constraint {
 public:
  virtual ~Constraint() = default;

  /// Clears the bits of the ids that may not follow: bit id % 64 of allowed[id / 64]. All bits are set on
  /// entry; bits past the vocabulary are ignored. allowed: [(vocabulary + 63) / 64].
  virtual void allow(std::span<std::uint64_t> allowed) const = 0;

  /// The sequence continues with this id, one that allow() left set.
  virtual void accept(std::int32_t id) = 0;

  /// Removes the last `tokens` accepted ids; at most as many as were accepted. Sampling does not need it;
  /// speculative decoding and backtracking do.
  virtual void roll_back(std::size_t tokens) = 0;

  /// An independent copy of the current state. Never null.
  virtual std::unique_ptr<Constraint> fork() const = 0;
};

}  // namespace partita
