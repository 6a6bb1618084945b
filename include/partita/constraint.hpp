// What an answer may consist of, decided token by token: the interface that grammars and the like are built
// on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace partita {

/// Says of one sequence which tokens may come next. Request::constraint is the prototype of the answers to
/// that request: each gets a fork() of its own, and the prototype itself is never changed. One fork is asked
/// by one thread at a time, different ones by several at once.
///
/// Only what the answer says is accepted, not the prompt. What a constraint throws ends that answer alone,
/// with an error that carries what(); so does a constraint that allows nothing the model could say. That an
/// answer may end is for the constraint to allow, too: Model::end_ids() are ids like others.
class Constraint {
 public:
  virtual ~Constraint() = default;

  /// Clears the bits of the ids that may not come next: bit id % 64 of allowed[id / 64]. All bits are set on
  /// entry; those past the vocabulary mean nothing. allowed: [(vocabulary + 63) / 64].
  virtual void allow(std::span<std::uint64_t> allowed) const = 0;

  /// The sequence goes on with this id, one of those that allow() left.
  virtual void accept(std::int32_t id) = 0;

  /// Takes the last so many accepted ids back, at most as many as there are. Sampling does not need it; what
  /// drafts ahead and looks back does.
  virtual void roll_back(std::size_t tokens) = 0;

  /// A copy that goes its own way from here. Never null.
  virtual std::unique_ptr<Constraint> fork() const = 0;
};

}  // namespace partita
