// Keys and values of many sequences, in pages of 64 tokens taken from one pool when they are first written.
//
// Layers with the same visibility (global, or one sliding window) form a class; a page holds 64 tokens for
// all layers of its class, so that a class whose window has moved on can give pages back without touching the
// others. Inside a page: [layer of the class][kv head]{ K: [4][head_dim][16], V: [64][head_dim] } of KvType,
// V's scales before it where the type has them (kernels.h), 64-byte aligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/config.h"
#include "engine/kernels/kernels.h"
#include "partita/result.hpp"

namespace partita {

/// The pool. Pages have reference counts, so that sequences can share what they have in common.
/// One pool serves one thread at a time (the engine's step). Sequences belong to their pool, which outlives
/// them.
class KvPool {
 public:
  /// budget_bytes: what pages may take in all; 0 for no limit but the machine's.
  KvPool(const Config& config, KvType type, std::size_t budget_bytes);
  ~KvPool();
  KvPool(const KvPool&) = delete;
  KvPool& operator=(const KvPool&) = delete;

  std::size_t classes() const;
  std::size_t class_of(std::size_t layer) const;
  std::size_t page_bytes(std::size_t cls) const;
  std::size_t bytes_in_use() const;  // by pages that sequences hold
  std::size_t budget_bytes() const;
  KvType type() const;

  /// The sliding window of a class, 0 for none.
  std::uint32_t window(std::size_t cls) const;

  /// Where layer `layer`, KV head `head` lives inside a page of its class; V follows K.
  std::size_t k_offset(std::size_t layer, std::size_t head) const;
  std::size_t v_offset(std::size_t layer, std::size_t head) const;

 private:
  friend class KvSequence;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One sequence's view of the pool: a page table per class and a length. Movable; returns its pages when
/// destroyed.
class KvSequence {
 public:
  explicit KvSequence(KvPool& pool);
  KvSequence(KvSequence&&) noexcept;
  KvSequence& operator=(KvSequence&&) noexcept;
  ~KvSequence();

  /// Tokens whose keys and values are stored.
  std::size_t length() const;

  /// Makes room for tokens [length(), length() + n): new pages, and a private copy of a shared page that
  /// would be written. Error: kOutOfMemory with the bytes needed and the budget; length and contents are then
  /// unchanged.
  Result<void> reserve(std::size_t n);

  /// Declares n more tokens stored (after a step wrote them). Precondition: reserved, and not forked since.
  void advance(std::size_t n);

  /// Forgets tokens from `length` on and gives their pages back, reserved ones too. What lies below
  /// truncation_floor() cannot be gone back to: everything is forgotten then, and length() is 0.
  void truncate(std::size_t length);

  /// Gives back pages that no token from length() on can see, because the windows of their layers have moved
  /// on. For sequences that only grow; it raises truncation_floor().
  void release_unseen();

  /// The shortest length besides 0 that truncate() can go back to; 0 unless release_unseen() gave pages back.
  std::size_t truncation_floor() const;

  /// Another sequence with the same contents, sharing every page until one of them writes.
  KvSequence fork() const;

  /// The page of class `cls` that holds tokens [64 i, 64 i + 64); null if release_unseen() gave it back.
  /// Slots from length() on hold anything: zeros in a new page, old keys and values in one used again.
  std::byte* page(std::size_t cls, std::size_t i) const;

  KvPool& pool() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace partita
